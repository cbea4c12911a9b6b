"""What the machine of a run did beside the run, as figures and in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dbz.runs.fold import inside
from dbz.runs.schema import Machine, Window
from dbz.runs.storage.reading import Record

BUSY_PERCENT = 10.0
"""A machine of which others take more than this is busy: queues at its cores then reach the percentiles."""
SOME_PERCENT = 0.5
"""Less than this is shown as nothing."""


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
