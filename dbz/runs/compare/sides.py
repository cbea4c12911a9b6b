"""The two sides of a comparison: repeated runs of one code with their measurements, disturbed runs left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dbz.errors import UsageError
from dbz.measure.budget.measuring import Measurements
from dbz.measure.compare.terms import ComparisonTerms
from dbz.runs.aggregate import measurements
from dbz.runs.compare.comparable import load_differences, untrusted
from dbz.runs.past.digest import read_measured
from dbz.runs.schema import Machine, Run
from dbz.runs.storage.folder import RunFolder, find_run, list_runs
from dbz.runs.validity.machine import taken_text

LATEST = "latest"
"""What stands for the newest run that can be compared."""
LEAST_QUIET_RUNS = 3
"""So many runs of a side must be left before disturbed ones are left out."""


def find_runs(reports: Path, name: str) -> list[RunFolder]:
    """The runs that a name stands for: those of a folder of runs, or the one that a path, an id or `latest` names."""
    inside = list_runs(Path(name)) if Path(name).is_dir() else []
    return inside or [find_run(reports, name)]


def newest_comparable(reports: Path, planned: Run, *, force: bool) -> RunFolder | None:
    """The newest run with which one that is planned can be compared, or with `force` the newest that can be read.

    None when there is none: runs of other loads, invalid and damaged ones do not count, and neither do those that were
    themselves found worse than a baseline: what became slow once would be the rule ever after.
    """
    newest_readable = None
    for folder in reversed(list_runs(reports)):
        try:
            run = folder.load()
        except UsageError:
            continue
        worse = run.comparison is not None and bool(run.comparison.findings)
        if not worse and not untrusted(run) and not load_differences(run, planned):
            return folder
        newest_readable = newest_readable or folder
    return newest_readable if force else None


class Side:
    """Repeated runs of the same code, with their measurements.

    Where some can be trusted, those that cannot are `skipped`: a sentence each. `damaged` says of which runs a part of
    the record cannot be read.
    """

    def __init__(self, folders: Sequence[RunFolder]) -> None:
        runs = [(folder, folder.load()) for folder in folders]
        trusted = [(folder, run) for folder, run in runs if not untrusted(run)] or runs
        self.runs = [run for _, run in trusted]
        self.skipped = [
            f"{run.id} is {run.verdict.value} and was left out"
            for _, run in runs
            if trusted is not runs and untrusted(run)
        ]
        records = [read_measured(folder) for folder, _ in trusted]
        self.found: list[Measurements] = [measurements(record, record.window) for record in records]
        self.damaged = [
            f"{record.damaged_lines:,} lines of the record of {run.id} cannot be read and were left out"
            for run, record in zip(self.runs, records, strict=True)
            if record.damaged_lines
        ]

    def add(self, run: Run, found: Measurements) -> None:
        """Add a run that has just been measured."""
        self.runs.append(run)
        self.found.append(found)

    def of(self, places: Sequence[int]) -> Side:
        """The side with some of its runs only."""
        some = Side(())
        for at in places:
            some.add(self.runs[at], self.found[at])
        return some


def quiet(side: Side, terms: ComparisonTerms) -> Side:
    """A side without the runs that something else on the machine disturbed."""
    return side.of(_quiet_places(side.runs, terms.busy))


def _quiet_places(runs: Sequence[Run], limit: float) -> list[int]:
    """The places of the runs to compare: without those that were disturbed by a share of the machine more than `limit`
    above the least disturbed one, where at least three and half of them are left."""
    disturbed = [run.machine.disturbed_percent / 100 if run.machine else 0.0 for run in runs]
    quiet = [at for at, share in enumerate(disturbed) if share <= min(disturbed) + limit]
    enough = len(quiet) >= max(LEAST_QUIET_RUNS, len(runs) / 2)
    return quiet if enough else list(range(len(runs)))


def busier(runs: Sequence[Run], others: Sequence[Run], limit: float) -> str:
    """What others took in these runs, if it is more than `limit` above that in the other ones; empty when it is not, or
    when it is not known of both."""
    machines, theirs = ([run.machine for run in side if run.machine] for side in (runs, others))
    if not machines or not theirs or _mean(machines) - _mean(theirs) <= 100 * limit:
        return ""
    return f"{taken_text(_together(machines))}, against {_mean(theirs):.0f} %"


def _mean(machines: Sequence[Machine]) -> float:
    return sum(one.disturbed_percent for one in machines) / len(machines)


def _together(machines: Sequence[Machine]) -> Machine:
    known = [one.others_percent for one in machines if one.others_percent is not None]
    return Machine(
        cores=machines[-1].cores,
        own_percent=sum(one.own_percent for one in machines) / len(machines),
        others_percent=sum(known) / len(known) if known else None,
        steal_percent=sum(one.steal_percent for one in machines) / len(machines),
    )
