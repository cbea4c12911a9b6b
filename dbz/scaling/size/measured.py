"""What one task carries: read from a `capacity.json`, or from a run that held its budgets."""

from __future__ import annotations

from pathlib import Path

from dbz.errors import UsageError
from dbz.measure.latency.series import HTTP
from dbz.runs.capacity import CAPACITY_FILE, USERS, StepOutcome, load_capacity
from dbz.runs.folder import find_run
from dbz.runs.schema import Run, RunVerdict
from dbz.scaling.size.sizing import MeasuredTask


def newest_capacity(reports: Path) -> Path | None:
    """The `capacity.json` of the newest search in a reports folder that found something, or None."""
    for file in sorted(reports.glob(f"*/{CAPACITY_FILE}"), reverse=True):
        try:
            if load_capacity(file).capacity is not None:
                return file
        except UsageError:
            continue
    return None


def read_measured(name: str, reports: Path, servers: int | None) -> MeasuredTask:
    """The capacity in a file or folder, or of a run (folder, id, its beginning, `latest`).

    `servers` is how many server processes were measured, where the record does not say. Raises `UsageError` when there
    is no such record, when it holds no capacity, or when the number of servers is not known.
    """
    path = Path(name)
    if path.is_file() or (path / CAPACITY_FILE).is_file():
        return _of_capacity(path, servers)
    if (reports / name / CAPACITY_FILE).is_file():
        return _of_capacity(reports / name, servers)
    return _of_run(find_run(reports, name).load(), servers)


def _of_capacity(path: Path, servers: int | None) -> MeasuredTask:
    found = load_capacity(path)
    if found.capacity is None:
        raise UsageError(f"{path} holds no capacity: {found.statement or found.outcome.value}", code="S028")
    figures = found.capacity
    decided = found.outcome is StepOutcome.FOUND and found.limit is not None
    return MeasuredTask(
        source=found.id,
        servers=_servers(found.api_servers, servers, found.id),
        users=figures.users if found.scaled == USERS else None,
        connections=figures.connections,
        requests_per_s=figures.requests_per_s,
        bracket=found.limit / figures.load if decided and found.limit else None,
    )


def _of_run(run: Run, servers: int | None) -> MeasuredTask:
    if run.verdict is not RunVerdict.PASS:
        raise UsageError(
            f"run {run.id} did not hold its budgets ({run.verdict.value}): it does not say what a task carries",
            hint="dbz capacity finds the highest load that does",
            code="S028",
        )
    processes = int(run.profile["stack"]["processes"]) if run.embedded else None
    return MeasuredTask(
        source=run.id,
        servers=_servers(processes, servers, run.id),
        users=run.users_held if run.profile.get("rate") is None else None,
        connections=run.server.connections if run.server else None,
        requests_per_s=sum(one.rate_per_s for one in run.operations if one.kind == HTTP) or None,
        bracket=None,
    )


def _servers(recorded: int | None, given: int | None, source: str) -> int:
    servers = recorded or given
    if servers is None:
        raise UsageError(
            f"{source} does not say how many server processes were measured",
            hint="say it with --measured-tasks N",
            code="S028",
        )
    return servers
