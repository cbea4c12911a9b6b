"""`dbz monitor export`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dbz.cli.monitor.options import StateFile, TimeRange, kept_at, range_of
from dbz.cli.options import time_of
from dbz.errors import UsageError


class ExportFormat(StrEnum):
    """What other programs read."""

    PROMETHEUS = "prometheus"
    OPENMETRICS = "openmetrics"
    CSV = "csv"


def export(
    range_: TimeRange = "24h",
    form: Annotated[
        ExportFormat, typer.Option("--format", help="OpenMetrics is what promtool backfills from.")
    ] = ExportFormat.OPENMETRICS,
    step: Annotated[
        str, typer.Option(help="One line for so long, like 1m: a mean, in CSV also low and high [default: all].")
    ] = "",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="The file to write [default: stdout].")
    ] = None,
    state: StateFile = None,
) -> None:
    """Write the series of a monitor for other programs: Prometheus text, OpenMetrics or CSV.

    \b
    Examples:
      dbz monitor export --range 30d --step 1m --out monitor.om
      promtool tsdb create-blocks-from openmetrics monitor.om data/
      dbz monitor export --format csv --range 1h | head
    """
    from dbz.monitor.export.formats import exported

    begin_s, end_s = range_of(range_)
    step_s = time_of("--step", step) if step else 1.0
    if step_s != int(step_s):
        raise UsageError(f"--step: {step} is no whole number of seconds", code="E002")
    with kept_at(state) as store:
        lines = exported(store, form, begin_s, end_s, int(step_s))
        if out is None:
            sys.stdout.writelines(lines)
        else:
            _write(out, lines)


def _write(out: Path, lines: Iterable[str]) -> None:
    """Write a file whole or not at all; what is no file, a pipe or a device, is written to and never replaced."""
    try:
        if out.exists() and not out.is_file():
            with out.open("w", encoding="utf-8", newline="\n") as stream:
                stream.writelines(lines)
            return
        draft = out.with_name(f".{out.name}.new")
        with draft.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(lines)
        draft.replace(out)
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror}", code="E006") from error
