"""Sentences about faults, and what a load makes of them."""

from __future__ import annotations

import pytest

from dbz.config.load.faults import parse_fault
from dbz.config.load.profile import StackProfile
from dbz.report.html.markers import Marker, _faults
from dbz.report.words.services import fault_texts
from dbz.runs.schema import InjectedFault
from tests.runs.capacities import first_run


@pytest.mark.parametrize(
    ("text", "what", "at_s", "length_s", "body"),
    [
        ("game slow 300ms at 10s for 5s", "was made 300 ms slower", 10, 5, {"service": "game", "slow_ms": 300.0}),
        (
            "  chat errors 20% at 1m",
            "was made to fail 20 % of its calls",
            60,
            None,
            {"service": "chat", "error_rate": 0.2},
        ),
        ("auth kill at 2s", "was killed", 2, None, {"service": "auth", "kill": True}),
    ],
)
def test_a_sentence_says_whom_what_and_when(
    text: str, what: str, at_s: float, length_s: float | None, body: dict[str, object]
) -> None:
    order = parse_fault(text)
    assert (order.what, order.at_s, order.length_s, order.body) == (what, at_s, length_s, body)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("gme kill at 1s", "no service that a fault can strike; did you mean 'game'"),
        ("gateway kill at 1s", "no service that a fault can strike"),
        ("game slw 3ms at 1s", "'slw' is no fault; did you mean 'slow'"),
        ("game slow at 1s", "how much"),
        ("game kill 3 at 1s", "neither amount nor length"),
        ("game kill at 1s for 3s", "neither amount nor length"),
        ("game slow 61s at 1s", "too much"),
        ("game errors 101% at 1s", "101"),
        ("game slow 3ms", "is no fault"),
        ("", "is no fault"),
    ],
)
def test_what_is_no_sentence_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_fault(text)


def test_faults_of_a_profile_need_services() -> None:
    assert StackProfile(services="apart", faults=["game kill at 1s"]).faults == ["game kill at 1s"]
    with pytest.raises(ValueError, match="need 'services: apart'"):
        StackProfile(faults=["game kill at 1s"])


def test_the_report_says_what_was_done_to_whom_and_when() -> None:
    faults = [
        InjectedFault(service="game", kind="slow", what="was made 300 ms slower", start_s=12.0, end_s=16.0),
        InjectedFault(service="auth", kind="kill", what="was killed", start_s=13.0, end_s=13.0),
        InjectedFault(service="chat", kind="errors", what="was made to fail 20 % of its calls", start_s=14.0),
    ]
    run = first_run().model_copy(update={"faults": faults})
    assert fault_texts(run) == [
        "on purpose game was made 300 ms slower from 12 s to 16 s",
        "on purpose auth was killed at 13 s",
        "on purpose chat was made to fail 20 % of its calls from 14 s on",
    ]
    assert list(_faults(run)) == [
        Marker(12.0, "game: slow"),
        Marker(16.0, "game: well again"),
        Marker(13.0, "auth: kill"),
        Marker(14.0, "chat: errors"),
    ]
