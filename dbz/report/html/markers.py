"""Vertical lines on the time axis of all charts: where the phases of a load begin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dbz.config.load.shapes import SHAPES, Stage
from dbz.runs.schema import Run
from dbz.runs.storage.reading import Record
from dbz.units import format_duration

_SHORTEST_S = 1.0
"""Before or after the judged part, less than this is no phase."""


@dataclass(frozen=True)
class Marker:
    """From this second on, something else was asked of the load."""

    second: float
    name: str


def phase_markers(run: Run, record: Record) -> list[Marker]:
    """The warm-up, the phases of the judged part, and its end, in seconds since the start of the run.

    The stages or the shape of the profile give the phases; a load that does not change has one. What an interrupted run
    did not reach is left out.
    """
    window = run.window
    markers = [Marker(0.0, "warm-up")] if window.start_s >= _SHORTEST_S else []
    markers += [one for one in _phases(run) if one.second < max(window.end_s, window.start_s + _SHORTEST_S)]
    if record.last_s - window.end_s >= _SHORTEST_S:
        markers.append(Marker(round(window.end_s, 1), "end"))
    return sorted([*markers, *_faults(run)], key=lambda one: one.second) if run.faults else markers


def _faults(run: Run) -> Iterator[Marker]:
    """Where faults that the load asked for begin and end."""
    for fault in run.faults:
        yield Marker(round(fault.start_s, 1), f"{fault.service}: {fault.kind}")
        if fault.end_s is not None and fault.end_s > fault.start_s:
            yield Marker(round(fault.end_s, 1), f"{fault.service}: well again")


def _phases(run: Run) -> Iterator[Marker]:
    at_s = run.window.start_s
    for stage in _stages(run):
        if stage.name:
            yield Marker(round(at_s, 1), stage.name)
        at_s += stage.over_s


def _stages(run: Run) -> list[Stage]:
    """What the profile asked for; every stage of the user's own has a name."""
    profile = run.profile
    if profile.get("stages"):
        return [
            Stage(one["to"], one["over"], f"to {one['to']:g} in {format_duration(one['over'])}")
            for one in profile["stages"]
        ]
    if profile.get("shape") in SHAPES:
        level = profile.get("rate") or profile.get("users") or 0
        return SHAPES[profile["shape"]](float(level), float(profile.get("duration") or run.window.seconds))
    return [Stage(0.0, 0.0, "steady load")]
