"""The HTML page: one file, the verdict first, and nothing that can be injected."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.report.html.page import embedded_json, render_html
from dbz.report.html.sections import table
from dbz.report.opening import open_run
from dbz.runs.storage.folder import RunFolder
from dbz.runs.storage.reading import Record
from tests.report.hostile import HOSTILE, hostile_run
from tests.runs.builder import Scene


class Page(HTMLParser):
    """The elements of a page, and the text of each script and style."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self._open, []).append(data)

    @property
    def tags(self) -> set[str]:
        return {tag for tag, _ in self.elements}


def render(folder: RunFolder) -> str:
    return render_html(*open_run(folder))


def test_the_page_of_a_long_run_says_how_fine_its_charts_are(tmp_path: Path) -> None:
    run, record = open_run(Scene(seconds=8, warmup_s=2).write(tmp_path))
    assert "is kept in spans" not in render_html(run, record)
    record.span_s = 4
    text = render_html(run, record)
    assert "is kept in spans of 4 s" in text and '"step_s":4' in text


def chart_data(text: str) -> dict[str, Any]:
    found = re.search(r'id="chart-data">(.*?)</script>', text, re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_the_verdict_and_its_reasons_come_first(broken: RunFolder) -> None:
    text = unescape(render(broken))
    reasons = open_run(broken)[0].reasons
    places = [text.index(part) for part in ("FAIL</p>", *reasons, "<h2>Budgets", "<h2>Operations", "<h2>Over time")]
    assert places == sorted(places) and len(reasons) >= 2


def test_every_budget_operation_and_error_has_its_row(broken: RunFolder) -> None:
    text, run = render(broken), open_run(broken)[0]
    for name in (one.name for one in run.budgets):
        assert f">{name}</td>" in unescape(text)
    for name in (one.name for one in run.operations):
        assert f">{name}</button></td>" in unescape(text)
    assert "HTTP 503 Service Unavailable" in text


def test_the_page_needs_nothing_from_elsewhere(broken: RunFolder) -> None:
    page = Page(render(broken))
    sources = [value for _, given in page.elements for name, value in given.items() if name in ("src", "href")]
    assert sources == ["data:,"]
    assert not page.tags & {"iframe", "object", "embed", "base", "form"}
    assert "@import" not in "".join(page.texts["style"])


def test_the_policy_allows_exactly_our_script_and_style(broken: RunFolder) -> None:
    text = render(broken)
    policy = unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1])  # type: ignore[index]
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]  # type: ignore[index]
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)[1]  # type: ignore[index]
    for name, body in (("style-src", style), ("script-src", script)):
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy


def test_hostile_names_and_errors_stay_text(tmp_path: Path, broken: RunFolder) -> None:
    text = render(hostile_run(tmp_path))
    page = Page(text)
    assert page.tags <= Page(render(broken)).tags
    assert not [name for _, given in page.elements for name in given if name.startswith("on")]
    assert text.count("</script") == 2
    assert "\u2028" not in re.search(r'id="chart-data">(.*?)</script>', text, re.DOTALL)[1]  # type: ignore[index]
    assert any(HOSTILE in chart["title"] for chart in chart_data(text)["charts"])


def test_the_script_writes_text_nodes_only(broken: RunFolder) -> None:
    script = render(broken)
    for risky in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
        assert risky not in script


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10))
def test_embedded_json_cannot_end_its_element_and_survives(value: object) -> None:
    text = embedded_json(value)
    assert not set(text) & set("<>&\u2028\u2029")
    assert json.loads(text) == value


@given(st.text(), st.text())
def test_no_text_adds_an_element_or_an_attribute(shown: str, value: str) -> None:
    page = Page(table(["A", shown], [("", [(escape(value), value), (escape(shown), 1)])]))
    heads = ["th", "button"] * 2
    assert [tag for tag, _ in page.elements] == ["div", "table", "thead", "tr", *heads, "tbody", "tr", "td", "td"]
    assert {name for _, given in page.elements for name in given} <= {"class", "scope", "data-value"}


def test_charts_show_all_kinds_users_errors_server_and_generator(passed: RunFolder) -> None:
    data = chart_data(render(passed))
    names = {chart["id"] for chart in data["charts"]}
    assert names == {
        "rate", "errors", "users", "server-cpu", "server-memory", "server-connections", "generator-cpu",
        "generator-lag", "latency-http", "latency-connect", "latency-ack", "latency-composite",
        "latency-delivery-chat", "latency-delivery-score",
    }  # fmt: skip
    assert {len(line["values"]) for chart in data["charts"] for line in chart["lines"]} == {12}
    assert data["window"] == {"start_s": 4, "end_s": 12}


def test_a_delivery_chart_carries_the_limit_of_its_own_event(passed: RunFolder) -> None:
    (chat,) = (chart for chart in chart_data(render(passed))["charts"] if chart["id"] == "latency-delivery-chat")
    assert [(mark["name"], mark["value"]) for mark in chat["marks"]] == [("chat_message_latency: p95 < 100 ms", 100)]


def test_a_run_without_server_figures_has_no_empty_charts(tmp_path: Path) -> None:
    folder = Scene(seconds=4, warmup_s=1, server=False).write(tmp_path)
    assert not [chart for chart in chart_data(render(folder))["charts"] if chart["id"].startswith("server")]


def test_an_empty_record_still_makes_a_page() -> None:
    text = render_html(Scene().run("x"), Record())
    assert "UNFINISHED" in text and chart_data(text)["charts"] == []


def test_a_long_run_is_drawn_in_coarser_steps(passed: RunFolder) -> None:
    run, record = open_run(passed)
    for line in record.workers["worker-0"]:
        line["t"] += 7200
    data = chart_data(render_html(run, record))
    assert data["step_s"] == 13
    assert len(data["seconds"]) <= 600


@pytest.mark.parametrize("name", ["page.html", "page.css", "page.js", "details.js"])
def test_the_parts_of_the_page_have_no_address_of_another_site(name: str) -> None:
    import dbz.report.html

    text = (Path(dbz.report.html.__file__).parent / "assets" / name).read_text()
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text)
