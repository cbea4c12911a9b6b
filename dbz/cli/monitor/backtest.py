"""`dbz monitor backtest`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.monitor.options import MonitorConfig, StateFile, store_at
from dbz.cli.options import DEFAULT_REPORTS, AsJson, Reports, parsed, time_of
from dbz.cli.report.runs import RunName
from dbz.errors import UsageError

if TYPE_CHECKING:
    from dbz.config.monitor.file import MonitorFile
    from dbz.monitor.replay.recording import RecordedReadings
    from dbz.runs.storage.folder import RunFolder

_STORE = "store"


def backtest(
    run: RunName = "latest",
    from_: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="SOURCE",
            help="Instead of RUN: runs, a folder of runs, series.csv, 'METRIC [UNIT]=prometheus.json', or 'store', "
            "what the monitor has kept. Several are replayed one after the other.",
        ),
    ] = None,
    incidents: Annotated[
        str, typer.Option(metavar="FILE", help="What really happened: {incidents: [{from, to}]}; see docs/monitor.md.")
    ] = "",
    config: MonitorConfig = "default",
    reports: Reports = DEFAULT_REPORTS,
    interval: Annotated[
        str,
        typer.Option(
            help="How often it would have asked [default: the file's or the series'; minutes of more than 5 days]."
        ),
    ] = "",
    range_: Annotated[str, typer.Option("--range", metavar="DURATION", help="Of 'store', how far back.")] = "24h",
    memory_limit: Annotated[
        str, typer.Option(help="What memory is a share of, like 4GB [default: the memory of the machine of the run].")
    ] = "",
    state: StateFile = None,
    as_json: AsJson = False,
) -> None:
    """Say when each rule would have fired in time that was recorded, and which limits would do.

    \b
    With incidents that you mark it counts false alerts, missed incidents
    and the time until they were told, and proposes the smallest limit that
    tells of all of them and of nothing else.

    \b
    Examples:
      dbz monitor backtest                          the newest run, the bundled rules
      dbz monitor backtest 20261129 --config monitor.yaml
      dbz monitor backtest --from store --range 30d --incidents incidents.yaml
      dbz monitor backtest --from 'response time [s]=prometheus.json' --json
    """
    from dbz.config.monitor.file import load_monitor
    from dbz.config.monitor.incidents import load_incidents
    from dbz.monitor.replay.follow import replay
    from dbz.monitor.replay.proposals import proposals
    from dbz.report.terminal.alerts.backtest import backtest_rows, backtest_text

    loaded = load_monitor(config, with_secrets=False)
    given = _Given(loaded, reports, time_of("--interval", interval) if interval else None, memory_limit, state)
    recordings = [one for source in from_ or [run] for one in given.recordings(source, time_of("--range", range_))]
    marked = load_incidents(incidents, recordings[0].start_s) if incidents else []
    done = replay(loaded, recordings)
    limits = proposals(loaded.alerts, recordings, marked)
    if as_json:
        typer.echo(json.dumps(backtest_rows(done, marked, limits), indent=2))
    else:
        typer.echo(backtest_text(done, marked, limits))


class _Given:
    """What the options say of how sources are read."""

    def __init__(
        self, config: MonitorFile, reports: Path, period_s: float | None, memory_limit: str, state: Path | None
    ) -> None:
        self._config, self._reports, self._period_s = config, reports, period_s
        self._memory_limit, self._state = memory_limit, state
        self._target = config.targets[0].name if config.targets else "recorded"

    def recordings(self, source: str, range_s: float) -> list[RecordedReadings]:
        """What a source has; `UsageError` when it is none, or has nothing."""
        from dbz.monitor.replay.files import of_file
        from dbz.monitor.replay.stored import of_store, period_of
        from dbz.runs.storage.folder import find_run, list_runs

        path = Path(source.rpartition("=")[2])
        if source == _STORE:
            now_s = time.time()
            period_s = self._period_s or period_of(range_s, self._config.interval)
            with store_at(self._state) as store:
                return [of_store(store, self._config, now_s - range_s, now_s, period_s)]
        if "=" in source or path.suffix in (".csv", ".json"):
            return [of_file(source, self._target, self._period_s)]
        if path.is_dir() and not (path / "run.json").exists():
            runs = list_runs(path)
            if not runs:
                raise UsageError(f"there are no runs in {path}", code="R001")
            return [self._run(one) for one in runs]
        return [self._run(find_run(self._reports, source))]

    def _run(self, folder: RunFolder) -> RecordedReadings:
        from dbz.monitor.replay.runs import of_run
        from dbz.report import open_run
        from dbz.units import parse_size

        run, record = open_run(folder)
        machine = run.environment.get("memory_bytes")
        limit = parsed("--memory-limit", self._memory_limit, parse_size) if self._memory_limit else machine
        memory = limit if isinstance(limit, int | float) else None
        return of_run(run, record, self._target, self._period_s or self._config.interval, memory)
