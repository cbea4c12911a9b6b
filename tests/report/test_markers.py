"""The phases of a load on the time axis of the page."""

from __future__ import annotations

from typing import Any

import pytest

from dbz.report.html.markers import phase_markers
from dbz.runs.schema import Window
from dbz.runs.storage.folder import RunFolder
from dbz.runs.storage.reading import read_record

STEPS = [(4 + 2 * at, f"step {at + 1} of 5") for at in range(5)]


def markers(folder: RunFolder, window: Window | None = None, **profile: Any) -> list[tuple[float, str]]:
    run = folder.load()
    changed = {"profile": {**run.profile, **profile}, "window": window or run.window}
    return [(one.second, one.name) for one in phase_markers(run.model_copy(update=changed), read_record(folder))]


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ({}, [(4, "steady load")]),
        ({"shape": "soak", "duration": 8.0}, [(4, "soak")]),
        ({"shape": "staircase", "duration": 10.0}, STEPS[:4]),
        (
            {"shape": "spike", "duration": 8.0, "rate": 100.0},
            [(4, "before the spike"), (6.8, "spike, ×5"), (8.4, "recovery")],
        ),
        (
            {"stages": [{"to": 100.0, "over": 4.0}, {"to": 500.0, "over": 90.0}]},
            [(4, "to 100 in 4 s"), (8, "to 500 in 1m30s")],
        ),
    ],
)
def test_every_kind_of_load_has_its_phases(
    passed: RunFolder, profile: dict[str, Any], expected: list[tuple[float, str]]
) -> None:
    assert markers(passed, **profile) == [(0, "warm-up"), *expected]


def test_the_end_of_the_judged_part_is_marked_when_the_run_went_on(passed: RunFolder) -> None:
    assert markers(passed, Window(start_s=0, end_s=9)) == [(0, "steady load"), (9, "end")]
