"""Whether a scenario does what was recorded, and whether it is said when it does not."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.bring.fidelity import RECEIVED, REQUEST, SENT, Fidelity, Passed, _difference, _shape, compare
from dbz.errors import ExitCode
from tests.bring.apps import node_app
from tests.bring.material import entry
from tests.bring.test_scripts import FILES, JSON_VALUES, script, text_of
from tests.cli.running import dbz

TABS = [str(FILES / "tab1.har"), str(FILES / "tab2.har")]


def test_two_recorded_tabs_replay_with_all_operations_events_order_and_shapes(tmp_path: Path) -> None:
    with node_app(tmp_path / "log", "recorded.mjs") as url:
        done = dbz("import", *TABS, "-o", "chat.py", "--target", url, "--check", cwd=tmp_path)
    assert done.returncode == ExitCode.OK, done.stdout + done.stderr
    assert (
        "as recorded: operations 8 of 8, statuses 8 of 8, payload shapes 26 of 26, events 10 of 10, in order 16 of 16"
        in done.stdout
    )


def test_what_a_server_does_otherwise_is_said_and_a_scenario_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "chat.py").write_text("broken = (\n")
    with node_app(tmp_path / "log", "recorded.mjs", "shape") as url:
        kept = dbz("import", *TABS, "-o", "chat.py", "--target", url, "--check", cwd=tmp_path)
        done = dbz("import", *TABS, "-o", "chat.py", "--target", url, "--check", "--force", cwd=tmp_path)
    assert kept.returncode == ExitCode.USAGE and "chat.py:1" in kept.stderr
    assert done.returncode == ExitCode.BROKEN, done.stdout + done.stderr
    assert "Visitor2: received event 'said': arguments[].from is text instead of number" in done.stdout


def passed(kind: str, name: str, at_s: float, **more: Any) -> Passed:
    return Passed(kind, name, at_s, **more)


RECORDED = [
    passed(REQUEST, "GET /a", 0, status=200, payloads=[("answer", {"id": "number"})]),
    passed(SENT, "say", 1),
    passed(RECEIVED, "said", 2),
    passed(RECEIVED, "typing", 2.1),
    passed(REQUEST, "GET /b", 4, status=304),
]


def differences(replayed: list[Passed]) -> list[str]:
    found = Fidelity()
    compare("V", RECORDED, replayed, found, ordered=True)
    return found.differences


def test_the_recording_itself_does_not_differ_nor_do_events_that_came_together_in_another_order() -> None:
    assert differences(RECORDED) == []
    assert differences([*RECORDED[:2], RECORDED[3], RECORDED[2], RECORDED[4]]) == []


@pytest.mark.parametrize(
    ("replayed", "said"),
    [
        (RECORDED[1:], "GET /a: 1 more times in the recording"),
        ([*RECORDED, RECORDED[1]], "sent event 'say': 1 more times than"),
        ([RECORDED[1], RECORDED[0], *RECORDED[2:]], "sent event 'say' comes before GET /a"),
        ([RECORDED[2], *RECORDED[:2], *RECORDED[3:]], "received event 'said' comes earlier"),
        ([passed(REQUEST, "GET /a", 0, status=500), *RECORDED[1:]], "status 500 instead of 200"),
        ([passed(REQUEST, "GET /a", 0, status=200), *RECORDED[1:]], "there is no answer"),
    ],
)
def test_every_kind_of_difference_is_said(replayed: list[Passed], said: str) -> None:
    assert any(said in difference for difference in differences(replayed)), differences(replayed)


@given(JSON_VALUES, st.integers())
def test_values_make_no_difference_but_a_key_more_does(tree: Any, seed: int) -> None:
    other = _with_other_values(tree, random.Random(seed))
    assert _difference(_shape(tree), _shape(other), "answer") == ""
    if isinstance(tree, dict):
        assert "with one-more" in _difference(_shape(tree), _shape({**tree, "one-more": 1}), "answer")


def _with_other_values(tree: Any, source: random.Random) -> Any:
    if isinstance(tree, dict):
        return {key: _with_other_values(part, source) for key, part in tree.items()}
    if isinstance(tree, list):
        return [_with_other_values(part, source) for part in tree]
    if isinstance(tree, bool) or tree is None:
        return tree
    return source.random() if isinstance(tree, int | float) else str(source.random())


def test_a_request_that_only_follows_a_redirect_is_left_to_the_client() -> None:
    home = entry("GET", "/home", "", status=302, at_s=1, answer_headers=[("Location", "/rooms")])
    brought = script(
        home,
        entry("GET", "/rooms", {"rooms": [{"id": "r-1234567"}]}, at_s=2),
        entry("GET", "/rooms/r-1234567", {}, at_s=3),
    )
    assert [(step.operation, step.status) for step in brought.flows[0].steps] == [
        ("GET /home", 200),
        ("GET /rooms/{id}", 200),
    ]
    assert 'answer.json()["rooms"][0]["id"]' in text_of(
        home,
        entry("GET", "/rooms", {"rooms": [{"id": "r-1234567"}]}, at_s=2),
        entry("GET", "/rooms/r-1234567", {}, at_s=3),
    )
