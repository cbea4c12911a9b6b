"""What one task carries: read from a `capacity.json`, or from a run that held its budgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dbz.config.load.services import GATEWAY
from dbz.errors import UsageError
from dbz.measure.latency.series import HTTP
from dbz.runs.capacity import CAPACITY_FILE, USERS, StepOutcome, load_capacity
from dbz.runs.schema import Run, RunVerdict, ServiceProcesses
from dbz.runs.storage.folder import find_run
from dbz.scaling.size.sizing import MeasuredService, MeasuredTask

Given = int | Mapping[str, int] | None
"""How many server processes were measured, or of each service how many, where somebody says it."""


def newest_capacity(reports: Path) -> Path | None:
    """The `capacity.json` of the newest search in a reports folder that found something, or None."""
    for file in sorted(reports.glob(f"*/{CAPACITY_FILE}"), reverse=True):
        try:
            if load_capacity(file).capacity is not None:
                return file
        except UsageError:
            continue
    return None


def read_measured(name: str, reports: Path, servers: Given) -> MeasuredTask:
    """The capacity in a file or folder, or of a run (folder, id, its beginning, `latest`).

    `servers` is how many server processes were measured, where the record does not say; of a run whose answers name
    services it may be a number for each of these. Raises `UsageError` when there
    is no such record, when it holds no capacity, or when the number of servers is not known.
    """
    path = Path(name)
    if path.is_file() or (path / CAPACITY_FILE).is_file():
        return _of_capacity(path, servers)
    if (reports / name / CAPACITY_FILE).is_file():
        return _of_capacity(reports / name, servers)
    return _of_run(find_run(reports, name).load(), servers)


def _of_capacity(path: Path, servers: Given) -> MeasuredTask:
    found = load_capacity(path)
    if found.capacity is None:
        raise UsageError(f"{path} holds no capacity: {found.statement or found.outcome.value}", code="S028")
    figures = found.capacity
    decided = found.outcome is StepOutcome.FOUND and found.limit is not None
    return MeasuredTask(
        source=found.id,
        servers=_servers(found.api_servers, servers, found.id, figures.services),
        users=figures.users if found.scaled == USERS else None,
        connections=figures.connections,
        requests_per_s=figures.requests_per_s,
        bracket=found.limit / figures.load if decided and found.limit else None,
        services=_services(figures.services, servers),
    )


def _of_run(run: Run, servers: Given) -> MeasuredTask:
    if run.verdict is not RunVerdict.PASS:
        raise UsageError(
            f"run {run.id} did not hold its budgets ({run.verdict.value}): it does not say what a task carries",
            hint="dbz capacity finds the highest load that does",
            code="S028",
        )
    processes = int(run.profile["stack"]["processes"]) if run.embedded else None
    told = run.service_processes or [
        ServiceProcesses(name=one.name, calls_per_s=one.rate_per_s, requests_per_s=one.rate_per_s)
        for one in run.services
        if one.kind == HTTP
    ]
    return MeasuredTask(
        source=run.id,
        servers=_servers(processes, servers, run.id, told),
        users=run.users_held if run.profile.get("rate") is None else None,
        connections=run.server.connections if run.server else None,
        requests_per_s=sum(one.rate_per_s for one in run.operations if one.kind == HTTP) or None,
        bracket=None,
        services=_services(told, servers),
    )


def _services(told: Sequence[ServiceProcesses], given: Given) -> tuple[MeasuredService, ...]:
    """Those of which somebody says how many processes they had."""
    counts = given if isinstance(given, Mapping) else {}
    if unknown := counts.keys() - {one.name for one in told}:
        names = ", ".join(one.name for one in told) or "of none"
        raise UsageError(
            f"--measured-tasks: the record tells nothing of a service '{min(unknown)}' (it tells of: {names})",
            code="S028",
        )
    return tuple(
        MeasuredService(one.name, tasks, one.cpu_cores, one.calls_per_s, one.requests_per_s)
        for one in told
        if (tasks := counts.get(one.name) or one.processes)
    )


def _servers(recorded: int | None, given: Given, source: str, told: Sequence[ServiceProcesses]) -> int:
    """How many answered at the front: the gateways, where services are apart."""
    front = next((one.processes for one in told if one.name == GATEWAY), None)
    servers = front or recorded or (1 if isinstance(given, Mapping) else given)
    if servers is None:
        raise UsageError(
            f"{source} does not say how many server processes were measured",
            hint="say it with --measured-tasks N, or chat=2,game=1 where answers name services",
            code="S028",
        )
    return servers
