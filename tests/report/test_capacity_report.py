"""The reports of a capacity search say what was found, and carry nothing out that stands in a name."""

from __future__ import annotations

import io
from pathlib import Path

from dbz.report.html.capacity_page import render_capacity, write_capacity_page
from dbz.report.terminal.capacity import print_capacity
from dbz.runs.capacity import Capacity, StepOutcome
from tests.runs.capacities import searched

HOSTILE = '<img src=x onerror=alert(1)>"&'


def printed(found: Capacity) -> str:
    stream = io.StringIO()
    print_capacity(found, Path("page.html"), stream)
    return stream.getvalue()


def test_the_terminal_tells_the_whole_story() -> None:
    found = searched(threshold=1000)
    assert found.capacity is not None
    text = printed(found)
    assert f"FOUND   All budgets hold up to {found.capacity.load:,} users" in text
    assert "First to break" in text and "api_response_time: p95" in text
    assert "carried, " in text and "short: " in text
    assert "Universal Scalability Law" in text
    assert text.count("holds") >= len([step for step in found.steps if step.answer == "holds"])


def test_what_was_not_tried_is_not_called_too_little() -> None:
    text = printed(searched(highest=200))
    assert "at least 200 users" in text
    assert "not shown: " in text and "short: " not in text


def test_a_search_without_steps_is_reported_too() -> None:
    found = searched().model_copy(
        update={"steps": [], "capacity": None, "phases": [], "broken": [], "scalability": None, "limit": None,
                "outcome": StepOutcome.INTERRUPTED, "statement": "Stopped early."}
    )  # fmt: skip
    assert "Stopped early." in printed(found)
    assert "Stopped early." in render_capacity(found)


def test_the_page_draws_every_step_and_links_its_run(tmp_path: Path) -> None:
    found = searched()
    found.save(tmp_path)
    page = write_capacity_page(tmp_path).read_text()
    for step in found.steps:
        assert f'href="runs/{step.run}/report.html"' in page
    plots = page.split('<section id="plots">')[1].split("</section>")[0]
    assert plots.count("<title>") == 2 * len(found.steps)
    assert "http://" not in page.replace("http://127.0.0.1:1", "").replace("http://www.w3.org/2000/svg", "")


def test_hostile_names_are_shown_and_not_carried_out() -> None:
    found = searched()
    steps = [step.model_copy(update={"tightest": HOSTILE, "run": HOSTILE}) for step in found.steps]
    broken = [one.model_copy(update={"name": HOSTILE, "reason": HOSTILE}) for one in found.broken]
    phases = [row.model_copy(update={"phase": HOSTILE}) for row in found.phases]
    changes = {"steps": steps, "broken": broken, "phases": phases, "statement": HOSTILE, "target": HOSTILE}
    page = render_capacity(
        found.model_copy(update={**changes, "profile": {"name": HOSTILE}, "environment": {HOSTILE: HOSTILE}})
    )
    assert "<img" not in page
    assert "&lt;img" in page
