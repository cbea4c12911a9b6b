"""The report on a terminal: the story on one screen, at any width, with and without colour."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.color_triplet import ColorTriplet
from rich.default_styles import DEFAULT_STYLES

from dbz.report import open_run, print_run, print_runs
from dbz.report.terminal.console import THEME, make_console
from dbz.report.terminal.run.summary import print_summary
from dbz.runs.schema import RunVerdict
from dbz.runs.storage.folder import RunFolder
from tests.report.hostile import hostile_run

OURS = THEME.styles.keys() - DEFAULT_STYLES.keys()


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def printed(folder: RunFolder, *, width: int = 80, stream: io.StringIO | None = None) -> str:
    stream = stream or io.StringIO()
    print_summary(open_run(folder)[0], folder.path / "report.html", make_console(stream, width=width))
    return stream.getvalue()


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the tester's terminal nor CI decides about colours and widths here."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.mark.parametrize("width", [80, 120])
def test_the_verdict_comes_first_then_why_then_the_figures(broken: RunFolder, width: int) -> None:
    text = printed(broken, width=width)
    parts = ["✗ FAIL", "3 of 11 measured budgets", "Why", "api_response_time: p95 of http falls", "Look at", "Budgets"]
    places = [text.index(part) for part in [*parts, "Operations", "Deliveries", "Errors", "Health", "Report  "]]
    assert places == sorted(places)


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal(broken: RunFolder, width: int) -> None:
    lines = printed(broken, width=width).splitlines()
    assert max(len(line) for line in lines if not line.startswith(("Report", "Again"))) <= width


def test_names_of_the_default_budgets_are_whole_at_80_columns(passed: RunFolder) -> None:
    text = printed(passed)
    assert "chat_message_latency" in text and "…" not in text.partition("Operations")[0]


def test_the_path_of_the_report_is_never_broken(broken: RunFolder) -> None:
    assert f"Report  {broken.path / 'report.html'}\n" in printed(broken, width=40)


def test_a_passed_run_says_so_and_gives_no_advice(passed: RunFolder) -> None:
    text = printed(passed)
    assert "✓ PASS" in text and "All 11 measured budgets hold; 2 are not sure; 4 were not measured." in text
    assert "Why" not in text and "Look at" not in text
    assert "Not measured: page_load_time, notification_delivery" in text


@pytest.mark.parametrize(
    ("verdict", "badge"),
    [(RunVerdict.INVALID, "INVALID"), (RunVerdict.INTERRUPTED, "INTERRUPTED"), (RunVerdict.RUNNING, "UNFINISHED")],
)
def test_other_verdicts_are_not_taken_for_a_pass(passed: RunFolder, verdict: RunVerdict, badge: str) -> None:
    stream = io.StringIO()
    run = passed.load().model_copy(update={"verdict": verdict, "reasons": ["a worker was lost"]})
    print_summary(run, Path("report.html"), make_console(stream, width=80))
    assert f"! {badge}" in stream.getvalue() and "PASS" not in stream.getvalue()
    assert "a worker was lost" in stream.getvalue()


def test_a_file_gets_no_colours_and_a_terminal_does(broken: RunFolder) -> None:
    assert "\x1b[" not in printed(broken)
    assert "\x1b[" in printed(broken, stream=Terminal())


def test_no_color_is_obeyed(broken: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    text = printed(broken, stream=Terminal())
    assert not [code for code in ("\x1b[31", "\x1b[1;31", "\x1b[32", "\x1b[33") if code in text]


def test_names_cannot_steer_the_terminal(tmp_path: Path) -> None:
    text = printed(hostile_run(tmp_path), width=200)
    assert "\x1b" not in text and "\u2028" not in text
    assert "</script><img src=x" in text


def test_a_terminal_that_knows_ascii_only_gets_the_report_too(broken: RunFolder) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    print_run(broken, stream)
    stream.flush()
    text = raw.getvalue().decode("ascii")
    assert "X FAIL" in text and "+ uptime" in text


def test_the_list_of_runs_names_each_with_its_verdict(passed: RunFolder, broken: RunFolder) -> None:
    stream = io.StringIO()
    print_runs([passed.load(), broken.load()], stream)
    rows = stream.getvalue().splitlines()[1:]
    assert [row.split()[1] for row in rows] == ["pass", "fail"]


def luminance(triplet: ColorTriplet) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = [(part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4) for part in triplet.normalized]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def test_every_colour_can_be_read_on_black_and_on_white() -> None:
    for name, style in THEME.styles.items():
        if style.color is None or name not in OURS:
            continue
        text = luminance(style.color.get_truecolor())
        grounds = [0.0, 1.0] if style.bgcolor is None else [luminance(style.bgcolor.get_truecolor())]
        for ground in grounds:
            bright, dark = max(text, ground), min(text, ground)
            assert (bright + 0.05) / (dark + 0.05) > 3.8, name


def test_no_colour_comes_from_the_sixteen_that_themes_choose(broken: RunFolder) -> None:
    text = printed(broken, stream=Terminal())
    codes = set(re.findall(r"\x1b\[([\d;]*)m", text))
    assert any("38;5;" in code for code in codes)
    assert not [code for code in codes if re.search(r"(^|;)[349]\d($|;)", re.sub(r"[34]8;5;\d+", "", code))]


def test_the_last_line_says_the_verdict_again(broken: RunFolder) -> None:
    assert printed(broken).splitlines()[-2].startswith("Verdict ✗ FAIL 3 of 11 measured budgets are broken")
