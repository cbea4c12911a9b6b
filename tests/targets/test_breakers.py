"""Circuit breakers by the names of several gateways, and when each was open, as a run tells it."""

from __future__ import annotations

import pytest

from dbz.report.words.services import breaker_texts
from dbz.runs.schema import Run
from dbz.runs.services import breaker_openings
from dbz.runs.storage.sound_lines import SERVER, is_sound
from tests.targets.test_reading import line_of

OURS = (
    'dbz_breaker_state{{service="game",instance=""}} {0}\ndbz_breaker_opened_total{{service="game",instance=""}} {1}\n'
)
ENVOY = """\
# TYPE envoy_cluster_circuit_breakers_default_rq_pending_open gauge
envoy_cluster_circuit_breakers_default_rq_pending_open{envoy_cluster_name="game"} 1
envoy_cluster_circuit_breakers_default_remaining_rq{envoy_cluster_name="game"} 7
envoy_cluster_circuit_breakers_high_cx_open{cluster_name="outbound|80||chat"} 0
envoy_cluster_outlier_detection_ejections_active{envoy_cluster_name="auth"} 2
"""
RESILIENCE4J = """\
resilience4j_circuitbreaker_state{name="game",state="closed",} 0.0
resilience4j_circuitbreaker_state{name="game",state="open",} 1.0
resilience4j_circuitbreaker_state{name="chat",state="closed",} 1.0
resilience4j_circuitbreaker_state{name="chat",state="open",} 0.0
resilience4j_circuitbreaker_state{name="auth",state="forced_open",} 1.0
"""


@pytest.mark.parametrize(
    ("page", "keys", "rows"),
    [
        (OURS.format(2, 1), {}, [["game", "", "open"]]),
        (OURS.format(1, 1), {}, [["game", "", "half-open"]]),
        (OURS.format(0, 1), {}, []),
        (ENVOY, {}, [["auth", "instances that it sent away", "open"], ["game", "", "open"]]),
        (RESILIENCE4J, {}, [["auth", "", "open"], ["game", "", "open"]]),
        (
            'my_breaker{state="open",to="game",pod="a"} 1\nmy_breaker{state="closed",to="chat",pod="a"} 1\n',
            {"breakers": {"name": 'my_breaker{state="open"}', "service": "to", "instance": "pod"}},
            [["game", "a", "open"]],
        ),
    ],
    ids=["open", "half open", "closed", "Envoy", "resilience4j", "named"],
)
def test_breakers_that_are_not_closed_stand_in_the_line(page: str, keys: dict[str, object], rows: object) -> None:
    line = line_of(page, page, **keys)
    assert line["breakers"] == rows
    assert is_sound({"t": 1.0, **line}, SERVER)


def test_one_that_opened_and_closed_between_two_looks_was_open() -> None:
    assert line_of(OURS.format(0, 3), OURS.format(0, 4))["breakers"] == [["game", "", "open"]]
    assert "breakers" not in line_of("process_cpu_seconds_total 1\n", "process_cpu_seconds_total 2\n")
    assert not is_sound({"t": 1.0, "breakers": [["game", 1]]}, SERVER)


def test_the_report_says_which_opened_when_and_for_how_long() -> None:
    def line(second: int, *breakers: list[str]) -> dict[str, object]:
        return {"t": second, "breakers": list(breakers)}

    game, instance, chat = ["game", "", "open"], ["game", "a:1", "open"], ["chat", "b:1", "half-open"]
    lines = [
        line(1),
        line(2, game, instance),
        {"t": 3, "metrics_trouble": "HTTP 500"},
        line(4, game, chat),
        line(5, chat),
        line(7, chat, game),
        line(9, chat),
    ]
    openings = breaker_openings(lines)
    assert [(one.service, one.instance, one.opened_s, one.closed_s) for one in openings] == [
        ("game", "", 2, 5),
        ("game", "a:1", 2, 4),
        ("chat", "b:1", 4, None),
        ("game", "", 7, 9),
    ]
    run = Run(id="r", started="2026-11-23T06:54:50+00:00", profile={}, target="", seed=1, breakers=openings)
    assert breaker_texts(run) == [
        "the circuit breaker of game opened 2 times, first at 2 s, 5 s in all",
        "the circuit breaker of chat for b:1 opened at 4 s and was not closed again",
    ]
