"""`dbz monitor drill`."""

from __future__ import annotations

from typing import Annotated

import typer

from dbz.cli.interrupts import run_interruptibly
from dbz.cli.monitor.options import MonitorConfig
from dbz.errors import UsageError, VerificationError
from dbz.suggest import did_you_mean


def drill(
    channels: Annotated[
        list[str] | None, typer.Argument(metavar="[CHANNEL]…", help="Channels of the file [default: all].")
    ] = None,
    config: MonitorConfig = "default",
) -> None:
    """Really send a message, marked TEST, and say what each channel answered.

    \b
    Examples:
      dbz monitor drill --config monitor.yaml
      dbz monitor drill slack --config monitor.yaml

    \b
    Exit codes: 0 all were taken, 1 one was not, 2 wrong usage.
    """
    from dbz.config.monitor.file import load_monitor
    from dbz.monitor.sending.drill import try_channels

    loaded = load_monitor(config)
    if not loaded.channels:
        raise UsageError(
            "the file has no channels", hint="see the end of configs/monitor.yaml for how they look", code="M001"
        )
    for name in channels or []:
        if name not in loaded.channels:
            suggestion = did_you_mean(name, loaded.channels)
            raise UsageError(
                f"there is no channel '{name}'{suggestion} (known: {', '.join(loaded.channels)})", code="M001"
            )
    answers = run_interruptibly(try_channels(loaded, channels or list(loaded.channels)))
    for name, answer in answers.items():
        typer.echo(f"{'✓' if answer.taken else '✗'} {name}: {answer.answer}")
    refused = [name for name, answer in answers.items() if not answer.taken]
    if refused:
        raise VerificationError(f"not taken by {', '.join(refused)}", code="M002")
