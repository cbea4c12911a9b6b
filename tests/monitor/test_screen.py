"""The live screen shows what matters at every width, and never more than fits."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from dbz.config.grammar.watched import Watched
from dbz.config.monitor.file import MonitorFile
from dbz.monitor.rules.alerts import AlertStanding, AlertState
from dbz.monitor.sources.reading import SourceReading
from dbz.monitor.store.store import Notice
from dbz.monitor.watch import Said
from dbz.report.live.watching import WatchingFigures
from dbz.report.terminal.monitor_screen import screen

MANY = 30


def config(count: int) -> MonitorFile:
    return MonitorFile.model_validate({
        "schema": "dbz.monitor/1",
        "targets": [{"name": f"service-with-a-name-{at}", "url": "http://10.0.0.1"} for at in range(count)],
        "alerts": [{"type": "SLOW", "when": "response time > 1000ms"}, {"type": "FULL", "when": "memory > 80%"},
                   {"type": "IDLE", "when": "requests < 10/s"}],
    })  # fmt: skip


def shown(figures: WatchingFigures, file: MonitorFile, width: int, height: int, **states: AlertStanding) -> list[str]:
    standings = {("service-with-a-name-0", type_): standing for type_, standing in states.items()}
    stream = io.StringIO()
    console = Console(file=stream, width=width, height=height, force_terminal=True, color_system=None)
    console.print(screen(figures.now(standings), file, console))
    return stream.getvalue().rstrip("\n").split("\n")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_figures_rules_and_messages_fit(width: int) -> None:
    file = config(1)
    figures = WatchingFigures(file)
    for mean_ms in (300.0, 600.0, 900.0):
        reading = SourceReading(up=True, details={"memory_bytes": 5e7})
        reading.figures = {Watched.RESPONSE_TIME: mean_ms, Watched.ERROR_RATE: 0.01, Watched.HIT_RATIO: 0.9}
        figures.take(Said(5.0, "service-with-a-name-0", reading=reading))
    notice = Notice("SLOW", "service-with-a-name-0", "critical", "firing", "SLOW firing: it is \x1b[31m slow")
    figures.take(Said(6.0, "service-with-a-name-0", notice=notice))
    firing = AlertStanding(AlertState.FIRING, 1.0, 900.0, 5.0)
    lines = shown(figures, file, width, 24, FULL=AlertStanding(value=0.4), SLOW=firing)
    text = "\n".join(lines)
    assert max(map(len, lines)) <= width and len(lines) <= 24
    assert "1 alert on" in lines[0] and "900 ms" in text and "50 MB" in text and "1 %" in text
    assert text.index("firing") < text.index("FULL"), "what is on stands first"
    assert "90 %" in text and "50 %" in text, "how much of the way to its limit is used"
    assert "▃▆█" in text and "\x1b[31m" not in text.split("firing: it is")[-1]
    assert ("p95" in text) is False, "a column that nobody fills is not there"


def test_what_does_not_fit_is_counted_and_nothing_is_known_at_first() -> None:
    file = config(MANY)
    figures = WatchingFigures(file)
    lines = shown(figures, file, 80, 24)
    assert len(lines) <= 24 and "all quiet" in lines[0]
    assert sum("more" in line for line in lines) == 2
    assert any("nothing was told yet" in line for line in lines)


def test_a_limit_from_below_is_near_when_the_value_is_small() -> None:
    file = config(1)
    near = WatchingFigures(file).now({("service-with-a-name-0", "IDLE"): AlertStanding(value=12.5)})
    (idle,) = (one for one in near.rules if one.type == "IDLE")
    assert idle.used == pytest.approx(0.8)
