"""Pages that a browser opened during a run: from the lines of `pages.jsonl` to what budgets judge and reports show.

A line is a visit: when it began (`t`), the page, how long it took until it was loaded or had failed (`took_ms`),
`load_ms` or the `error`, vitals, requests, and what went wrong in words. A line with `trouble` says instead that the
browser itself was lost.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from dbz.measure.latency.histogram import Histogram, rank_of
from dbz.measure.latency.interval_log import Interval
from dbz.measure.latency.series import PAGE, Series
from dbz.runs.schema import BrowserFigures, PageFigures, Window

GAUGES = {
    "page.fcp": "fcp_ms",
    "page.lcp": "lcp_ms",
    "page.inp": "inp_ms",
    "page.cls": "cls",
    "page.ttfb": "ttfb_ms",
    "page.load_event": "load_event_ms",
    "page.bytes": "bytes",
    "page.requests": "requests",
    "page.failed_requests": "failed_requests",
    "page.script_errors": "script_errors",
}
"""Metrics, and what the lines call them."""
MOST_PROBLEMS = 10
"""So many different problems of a page are kept."""


def interval_of(line: Mapping[str, Any]) -> Interval | None:
    """A visit as the sample of its second, as which it stands beside those of the users; None when there was none.

    A visit belongs to the second in which it began: a page that takes longer than the rest of the run is of the run.
    """
    if "page" not in line:
        return None
    histogram = Histogram()
    histogram.record(round((line["took_ms"] if line.get("error") else line["load_ms"]) * 1000))
    series = Series(PAGE, line["page"], failed=bool(line.get("error")))
    return Interval(series, float(math.floor(line["t"])), 1.0, histogram)


def begun_in(line: Mapping[str, Any], window: Window) -> bool:
    """Whether a visit is one of a window."""
    return bool(window.start_s <= math.floor(line["t"]) + 0.5 < window.end_s)


def page_figures(lines: Sequence[Mapping[str, Any]], window: Window) -> list[PageFigures]:
    """One row for each page with what its visits in a window took, in the order in which they were first opened."""
    visits: dict[str, list[Mapping[str, Any]]] = {}
    for line in lines:
        if "page" in line and begun_in(line, window):
            visits.setdefault(line["page"], []).append(line)
    return [_figures(name, of_page) for name, of_page in visits.items()]


def _figures(name: str, visits: Sequence[Mapping[str, Any]]) -> PageFigures:
    loaded = [line for line in visits if not line.get("error")]
    medians = {key: _median(line.get(key) for line in loaded) for key in ("load_ms", *GAUGES.values())}
    return PageFigures(
        url=name,
        visits=len(visits),
        failed=len(visits) - len(loaded),
        load_max_ms=max((line["load_ms"] for line in loaded), default=None),
        clicked=next((line["clicked"] for line in loaded if line.get("clicked")), ""),
        errors=_different(line["error"] for line in visits if line.get("error")),
        problems=_different(text for line in visits for text in line.get("problems", ())),
        blocked_hosts=_different(host for line in visits for host in line.get("blocked", ())),
        **medians,
    )


def _median(values: Iterable[float | None]) -> float | None:
    """The figure that a budget on p50 judges: of an even number of values, the lower of the two in the middle."""
    known = sorted(value for value in values if value is not None)
    return round(known[rank_of(50, len(known)) - 1], 4) if known else None


def _different(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))[:MOST_PROBLEMS]


def browser_figures(lines: Sequence[Mapping[str, Any]], window: Window) -> BrowserFigures | None:
    """The browser that opened the pages, and how much of this machine it took; None when there was none."""
    version = next((line["browser"] for line in lines if line.get("browser")), "")
    shares = [line["cpu_share"] for line in lines if "cpu_share" in line and begun_in(line, window)]
    if not version:
        return None
    return BrowserFigures(version=version, cpu_percent=round(100 * sum(shares) / len(shares), 1) if shares else None)


def page_notes(lines: Sequence[Mapping[str, Any]], window: Window) -> list[str]:
    """What a reader should know of the pages: hosts that they asked and may not, and errors in them."""
    return [
        f"page {page.url}: {'; '.join(texts)}" for page in page_figures(lines, window) if (texts := list(_wrong(page)))
    ]


def _wrong(page: PageFigures) -> Iterator[str]:
    if page.blocked_hosts:
        hosts = ", ".join(page.blocked_hosts)
        yield f"it asks {hosts}, which was blocked, because nobody allowed a load there (--allow-target HOST)"
    if page.problems:
        yield page.problems[0] + (f", and {len(page.problems) - 1} more" if len(page.problems) > 1 else "")


def lost_browser(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    """Why pages were not measured to the end, if the browser was lost."""
    return [f"pages were not measured to the end: {line['trouble']}" for line in lines if line.get("trouble")][:1]


def unopened(pages: Iterable[str], figures: Sequence[PageFigures], window: Window) -> list[str]:
    """The pages of which no visit began in the judged part, each with what helps."""
    opened = {page.url for page in figures}
    return [
        f"page {name} was not opened in the judged part of {window.seconds:.0f} s: make the run longer, or open pages "
        "more often (--page-every)"
        for name in pages
        if name not in opened
    ]
