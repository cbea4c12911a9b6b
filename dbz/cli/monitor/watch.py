"""`dbz monitor` itself: watch until it is stopped."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.interrupts import run_interruptibly
from dbz.cli.monitor.given import given_sources
from dbz.cli.monitor.options import MonitorConfig, StateFile, store_at
from dbz.cli.options import AsJson, time_of
from dbz.errors import InterruptedRunError, UsageError

if TYPE_CHECKING:
    from dbz.monitor.watch import Said


def watch(
    context: typer.Context,
    config: MonitorConfig = "default",
    interval: Annotated[str, typer.Option(help="How often to ask, like 10s [default: the file's].")] = "",
    for_: Annotated[str, typer.Option("--for", metavar="DURATION", help="Stop after so long, like 1h.")] = "",
    state: StateFile = None,
    no_live: Annotated[bool, typer.Option("--no-live", help="Log lines instead of the live screen.")] = False,
    as_json: AsJson = False,
) -> None:
    """Watch services, and tell people once when something is wrong.

    \b
    Asks every service of the file for its health and its own figures, follows
    the alert rules, and sends what begins and ends to Slack, mail or a
    webhook: at least once, and not again after a restart. Ctrl-C ends it.
    On a terminal a live screen shows figures, rules and messages.

    \b
    Examples:
      dbz monitor                               what dbz serve started
      dbz monitor --config monitor.yaml
      dbz monitor --interval 5s --for 10m --json
      dbz monitor check monitor.yaml            is the file right?
      dbz monitor drill slack                   does a message arrive?

    \b
    Exit codes: 0 ended, 2 wrong usage or file, 3 its own disk does not take
    what it keeps.
    """
    if context.invoked_subcommand is not None:
        return
    from dbz.config.monitor.file import load_monitor
    from dbz.config.monitor.sections import LONGEST_INTERVAL_S, SHORTEST_INTERVAL_S
    from dbz.monitor.lean import load_clients

    loaded = load_monitor(config)
    load_clients(loaded)
    from dbz.monitor.watch import Monitor
    from dbz.report.terminal.console import make_console
    from dbz.report.terminal.monitor import line_of, routes_text
    from dbz.report.terminal.monitor_screen import MonitorScreen

    if interval:
        period_s = time_of("--interval", interval)
        if not SHORTEST_INTERVAL_S <= period_s <= LONGEST_INTERVAL_S:
            raise UsageError(f"--interval: {interval} is not between 1s and 1h", code="E002")
        loaded = loaded.model_copy(update={"interval": period_s})
    for_s = time_of("--for", for_) if for_ else None

    def say(said: Said) -> None:
        typer.echo(json.dumps(said.to_row()) if as_json else line_of(said))
        sys.stdout.flush()

    with store_at(state, loaded.retention) as store, store.watching(), contextlib.ExitStack() as view:
        given = given_sources(loaded, store.path.with_suffix(".probes"))
        tell = say
        if sys.stdout.isatty() and not as_json and not no_live:
            screen = MonitorScreen(make_console(sys.stdout), loaded, store.standings)
            tell = view.enter_context(screen).say
        elif not as_json:
            typer.echo(routes_text(loaded))
        with contextlib.suppress(InterruptedRunError):  # how a monitor ends
            run_interruptibly(Monitor(loaded, store, tell, given).run(for_s))
        waiting = store.waiting()
    if waiting:
        typer.echo(f"dbz: {waiting} messages are not delivered yet; the next dbz monitor brings them", err=True)
