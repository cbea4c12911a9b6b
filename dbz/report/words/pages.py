"""Pages that a browser opened, as rows of a table that all formats share."""

from __future__ import annotations

from collections.abc import Sequence

from dbz.report.words.verdict import latency_text
from dbz.runs.schema import BrowserFigures, PageFigures
from dbz.units import format_bytes

PAGES_TITLE = "Pages in a browser, medians"
PAGE_COLUMNS = (
    *("Page", "Visits", "Failed", "Load ms", "Longest", "TTFB", "FCP", "LCP", "INP", "CLS"),
    *("Bytes", "Requests", "Failed ones", "Script errors"),
)
_NONE = "–"


def page_rows(pages: Sequence[PageFigures]) -> list[list[str]]:
    """One row for each page."""
    return [
        [
            page.url,
            f"{page.visits:,}",
            f"{page.failed:,}",
            *map(
                _time,
                (page.load_ms, page.load_max_ms, page.ttfb_ms, page.fcp_ms, page.lcp_ms, page.inp_ms),
            ),
            _NONE if page.cls is None else f"{page.cls:.3f}".rstrip("0").rstrip("."),
            _NONE if page.bytes is None else format_bytes(page.bytes),
            *map(_count, (page.requests, page.failed_requests, page.script_errors)),
        ]
        for page in pages
    ]


def is_bad(page: PageFigures) -> bool:
    """Whether anything of a page went wrong."""
    return bool(page.failed or page.problems or page.blocked_hosts)


def page_remarks(pages: Sequence[PageFigures], browser: BrowserFigures | None) -> list[str]:
    """What a reader of the table should know: how it was measured, what was clicked, and what went wrong."""
    remarks = []
    for page in pages:
        what = [*page.errors, *page.problems, *(f"{host}: blocked, not allowed" for host in page.blocked_hosts)]
        if what:
            remarks.append(f"{page.url}: {'; '.join(what)}")
    clicked = [f"“{page.clicked}” in {page.url}" for page in pages if page.clicked]
    if clicked:
        remarks.append(f"INP is from a click on {', '.join(clicked)} to the next frame.")
    if browser is not None:
        remarks.append(browser_text(browser))
    return remarks


def browser_text(browser: BrowserFigures) -> str:
    """Which browser it was, and what it took of the machine that makes the load."""
    used = (
        ""
        if browser.cpu_percent is None
        else f", which used {browser.cpu_percent:.0f} % of this machine's cores while it opened pages: that is part of "
        "what the load used, and makes the load, the server and the pages slower than they are apart"
    )
    return f"Each visit has empty caches, in {browser.version}{used}."


def _time(value_ms: float | None) -> str:
    return _NONE if value_ms is None else latency_text(value_ms)


def _count(value: float | None) -> str:
    return _NONE if value is None else f"{value:,.0f}"
