"""What a run's machine did beside the run, and whether that may explain what a comparison finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dbz.runs.aggregate import inside
from dbz.runs.reading import Record
from dbz.runs.schema import Machine, Run, Window

BUSY_PERCENT = 10.0
"""A machine of which others take more than this is busy: queues at its cores then reach the percentiles."""
SOME_PERCENT = 0.5
"""Less than this is shown as nothing."""
LEAST_QUIET_RUNS = 3
"""So many runs of a side must be left before disturbed ones are left out."""


def machine_figures(record: Record, window: Window) -> Machine | None:
    """The machine in a window of the record; None when nobody looked."""
    lines = [line for line in record.machine if inside(line["t"] - line["dt"], line["dt"], window)]
    if not lines:
        return None
    return Machine(
        cores=lines[-1]["cores"],
        own_percent=_percent(lines, "own"),
        others_percent=_percent(lines, "others") if all("others" in line for line in lines) else None,
        steal_percent=_percent(lines, "steal"),
    )


def _percent(lines: Sequence[dict[str, Any]], key: str) -> float:
    seconds: float = sum(line["dt"] for line in lines)
    taken: float = sum(line[key] * line["dt"] for line in lines)
    return round(100 * taken / seconds, 1)


def busy_notes(machine: Machine | None) -> list[str]:
    """A sentence about a machine that was busy with something else; none when it was not."""
    if machine is None or machine.disturbed_percent <= BUSY_PERCENT:
        return []
    taken = taken_text(machine)
    return [f"the machine was busy with something else, {taken}: figures may be worse than the code, so repeat the run"]


def taken_text(machine: Machine) -> str:
    """What others took: `others used 38 % of 2 cores, the hypervisor took 3 %`."""
    cores = cores_text(machine)
    parts = [] if machine.others_percent is None else [f"others used {machine.others_percent:.0f} % of {cores}"]
    if machine.steal_percent >= SOME_PERCENT:
        parts.append(f"the hypervisor took {machine.steal_percent:.0f} %" + ("" if parts else f" of {cores}"))
    return ", ".join(parts)


def cores_text(machine: Machine) -> str:
    """How many cores there are: `2 cores`."""
    return f"{machine.cores} core{'' if machine.cores == 1 else 's'}"


def quiet_places(runs: Sequence[Run], limit: float) -> list[int]:
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
