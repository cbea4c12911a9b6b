"""The report of a monitor as one file that works offline, with the charts of a run's page.

As there nothing can be injected: texts are escaped, and a content security policy allows exactly our own script and
style by their hashes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from dbz.config.grammar.watched import UNIT_OF, MetricUnit, Watched
from dbz.config.monitor.file import MonitorFile
from dbz.errors import UsageError
from dbz.monitor.review.document import Advice, FigureSummary, Review
from dbz.monitor.review.findings import rules_about, whole_memory
from dbz.monitor.review.values import MEMORY, figure_name, figure_text
from dbz.monitor.store.reading import Series
from dbz.monitor.store.rollups import Rollup
from dbz.report.html import sections
from dbz.report.html.charts import Chart, Mark, chart_of
from dbz.report.html.page import asset, content_policy, embedded_json
from dbz.report.html.sections import Cell, Row, number_cell, section, table, text_cell
from dbz.report.words.monitor import (
    change_text,
    headline,
    limit_text,
    range_text,
    span_text,
    trend_text,
    unknown_text,
    uptime_text,
)

_SCRIPTS = ("basics.js", "tables.js", "page.js")
_UNITS = {MetricUnit.SHARE: "%", MetricUnit.TIME: "ms", MetricUnit.RATE: "/s", MetricUnit.NUMBER: ""}
_TIMES = (Watched.RESPONSE_TIME, Watched.P95_RESPONSE_TIME, Watched.PEAK_RESPONSE_TIME)
_ALONE = (Watched.ERROR_RATE, Watched.CPU, Watched.CONNECTIONS, Watched.REQUESTS, Watched.QUERY_TIME,
          Watched.HIT_RATIO, Watched.PROBE_TIME, Watched.ROUND_TRIP,
          Watched.QUEUE_DEPTH, Watched.SHARD_SKEW)  # fmt: skip
_GROUPS: Mapping[str, tuple[str, ...]] = {
    "response time": _TIMES, "memory": (MEMORY,), **{figure.value: (figure,) for figure in _ALONE}
}  # fmt: skip
"""What is drawn together, by the title of the chart; the first of it has the unit."""
_TONES = {"high": "broken", "medium": "unsure", "low": "missing"}


def write_monitor_page(path: Path, review: Review, series: Mapping[str, Series], config: MonitorFile) -> None:
    """Write the page; `UsageError` when that cannot be."""
    try:
        path.write_text(render_review(review, series, config), encoding="utf-8", errors="replace", newline="\n")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", code="E006") from error


def render_review(review: Review, series: Mapping[str, Series], config: MonitorFile) -> str:
    """The text of the page; `series` are by target, in its steps."""
    charts = [chart for name, of in series.items() for chart in _charts(name, of, review, config)]
    style, script = asset("page.css"), "".join(map(asset, _SCRIPTS))
    return Template(asset("monitor.html")).substitute(
        policy=content_policy(style, script),
        title=escape(f"Monitor: {headline(review)}"),
        style=style,
        script=script,
        data=embedded_json(_data(review, charts)),
        head=_head(review),
        figures=_figures(review),
        alerts=_alerts(review),
        trends=_trends(review),
        charts="".join(map(sections.figure, charts)),
    )


def _head(review: Review) -> str:
    urgent = any(one.priority == "high" for one in review.advice)
    badge, tone = ("LOOK", "fail") if urgent else ("NOTE", "") if review.advice else ("GOOD", "pass")
    head = (
        f'<header class="verdict {tone}"><p class="badge">{badge}</p><h1>{escape(headline(review))}</h1>'
        f"<p>{escape(range_text(review))}</p></header>"
    )
    items = "".join(map(_advice_item, review.advice))
    return head + (section("advice", "What to do next", f'<ol class="advice">{items}</ol>') if items else "")


def _advice_item(advice: Advice) -> str:
    mark = f'<span class="mark">{advice.priority}</span>'
    return (
        f'<li class="{_TONES[advice.priority]}">{mark} <b>{escape(f"{advice.target}: {advice.text}")}</b>'
        f"<p>{escape(advice.evidence)}</p><code>{escape(advice.command)}</code></li>"
    )


def _figures(review: Review) -> str:
    head = ["Target", "Uptime", "Mean response", "Peak response", "Errors", "Memory", "CPU", "Without data"]
    rows: list[Row] = []
    for target in review.targets:
        keys = (Watched.RESPONSE_TIME, Watched.ERROR_RATE, MEMORY, Watched.CPU)
        slow, errors, memory, cpu = (target.figure(key) for key in keys)
        peak = target.figure(Watched.PEAK_RESPONSE_TIME) or slow
        cells = [_value_cell(slow), _value_cell(peak, of_peak=True), *map(_value_cell, (errors, memory, cpu))]
        uptime = number_cell(uptime_text(target), target.uptime)
        unknown = number_cell(unknown_text(target), target.without_data_s)
        rows.append(("", [text_cell(target.name), uptime, *cells, unknown]))
    return section("figures", "Figures", table(head, rows))


def _value_cell(figure: FigureSummary | None, *, of_peak: bool = False) -> Cell:
    if figure is None:
        return number_cell("–", None)
    value = figure.peak if of_peak else figure.mean
    return number_cell(figure_text(figure.key, value), value)


def _alerts(review: Review) -> str:
    rows: list[Row] = [
        (
            "broken" if one.end_s is None else "",
            [
                text_cell(one.target),
                (f'<span class="mark">{escape(one.type)}</span>', one.type),
                text_cell(one.severity),
                (escape(span_text(one)), one.begin_s),
                text_cell(one.when),
            ],
        )
        for one in review.alerts
    ]
    columns = ["Target", "Alert", "Severity", "When", "Rule"]
    return section("alerts", "Alerts", table(columns, rows, text_columns=range(5))) if rows else ""


def _trends(review: Review) -> str:
    rows: list[Row] = [
        (
            "" if trend.is_clear else "missing",
            [
                text_cell(target.name),
                text_cell(figure_name(trend.key)),
                (escape(trend_text(trend)), trend.per_hour),
                text_cell(limit_text(trend)),
            ],
        )
        for target in review.targets
        for trend in target.trends
    ]
    items = "".join(
        f"<li>{escape(f'{target.name}: {change_text(change)}')}</li>"
        for target in review.targets
        for change in target.changes
    )
    columns = ["Target", "Figure", "Trend, with its 95 % interval", "Limit"]
    body = table(columns, rows, text_columns=range(4)) if rows else ""
    body += f"<h3>New levels</h3><ul>{items}</ul>" if items else ""
    return section("trends", "Trends and changes", body) if body else ""


def _charts(name: str, series: Series, review: Review, config: MonitorFile) -> Iterator[Chart]:
    """The figures of a target that people look at, each with the limits of its rules."""
    for title, keys in _GROUPS.items():
        scale = 100.0 if _unit(keys[0]) == "%" else 1.0
        lines = {figure_name(key): _line(key, series[key], review, scale) for key in keys if key in series}
        marks = [
            Mark(f"{rule.type}: {rule.when}", rule.when.limit * scale * whole)
            for rule in rules_about(config, name)
            for whole in [_whole(rule.when.metric, keys, series)]
            if whole
        ]
        if lines:
            yield chart_of(f"{name}-{title}", f"{name}: {title}", _unit(keys[0]), lines, marks=marks)


def _whole(metric: Watched, keys: Sequence[str], series: Series) -> float:
    """What the limit of a rule is to be multiplied with among these figures; 0 where it does not belong to them.

    Rules judge the share of memory, and the chart shows its bytes.
    """
    return whole_memory(series) if metric == Watched.MEMORY and MEMORY in keys else float(metric in keys)


def _unit(key: str) -> str:
    return "bytes" if key == MEMORY else _UNITS[UNIT_OF[Watched(key)]]


def _line(key: str, rollups: Sequence[Rollup], review: Review, scale: float) -> list[float | None]:
    """A mean for each step of the range; of peaks the highest, since their mean would be no peak."""
    highest = key == Watched.PEAK_RESPONSE_TIME
    values = {rollup.t: (rollup.high if highest else rollup.mean) * scale for rollup in rollups}
    return [values.get(t) for t in _times(review)]


def _times(review: Review) -> range:
    """The steps of which there may be data: where nothing was watched yet, there is nothing to draw."""
    begin_s = review.begin_s if review.data_begin_s is None else review.data_begin_s
    end_s = review.end_s if review.data_end_s is None else review.data_end_s
    return range(int(begin_s // review.step_s) * review.step_s, int(end_s) + 1, review.step_s)


def _data(review: Review, charts: list[Chart]) -> dict[str, Any]:
    """What the page's script needs; a marker stands in the charts whose ids begin with its `of`."""
    step_s, times = review.step_s, _times(review)
    markers: list[dict[str, Any]] = [
        {"second": max(one.begin_s - times[0], 0), "name": one.type, "of": f"{one.target}-"} for one in review.alerts
    ]
    markers += [
        {"second": one.at_s - times[0], "name": figure_name(one.key), "of": f"{target.name}-{title}"}
        for target in review.targets
        for one in target.changes
        for title, keys in _GROUPS.items()
        if one.key in keys
    ]
    return {
        "began_s": times[0],
        "seconds": [t - times[0] for t in times],
        "step_s": step_s,
        "window": {"start_s": 0, "end_s": len(times) * step_s},
        "markers": sorted(markers, key=lambda one: one["second"]),
        "charts": [asdict(one) for one in charts],
    }
