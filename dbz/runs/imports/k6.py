"""k6: `--summary-export`, the data of `handleSummary()`, and the summary of `--new-machine-readable-summary`.

Thresholds in a summary export are inverted (true means broken); they are not read at all: budgets are the judges here.
A trend that saw nothing has zeros, and k6 lets those pass `p(95)<200`; here they are not measured.

A metric with tags, `http_req_duration{name:login}`, is there only when a threshold of the script asks for it, so of a
tagged operation the file often has the times and not the failures, or the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dbz.errors import UsageError
from dbz.measure.latency.series import COMPOSITE, CONNECT, HTTP, OTHER, Series
from dbz.measure.latency.summaries import Summary
from dbz.runs.imports.imported import Imported, clean_name, count, failed_of, figure, mapping, sequence

_ALWAYS = ("iterations", "iteration_duration", "vus", "http_reqs", "http_req_duration")
"""Metrics one of which every run has: by them the metrics alone, as some `handleSummary()` write them, are known."""
_TAGGED = re.compile(r"(?P<metric>[^{]+)\{(?P<tags>.*)\}", re.DOTALL)
_STATS = {"avg": "mean", "med": "p50", "max": "max", "min": "min"}
_PERCENTILE = re.compile(r"p\((\d+(?:\.\d+)?)\)")
_SUCCESSFUL = "expected_response:true"
_DURATION, _FAILED, _REQUESTS = "http_req_duration", "http_req_failed", "http_reqs"
_PHASES = re.compile(r"http_req_(blocked|connecting|tls_handshaking|sending|waiting|receiving)")
_ELSEWHERE = {_DURATION, _FAILED, _REQUESTS, "data_sent", "data_received", "vus", "vus_max", "checks", "iterations"}
_CHECKS = Series(OTHER, "checks")


@dataclass(frozen=True)
class _Metric:
    """One metric of a file."""

    name: str
    tags: frozenset[str]
    """What it is a part of, as `name:login`; empty for all of it."""
    values: Mapping[str, Any]
    kind: str
    """`trend`, `rate`, `counter` or `gauge`."""
    contains: str
    """`time`, `data` or `default`; empty where the file does not say it."""

    @property
    def label(self) -> str:
        """The tags in one text; that of a single name is the name."""
        if len(self.tags) == 1:
            (tag,) = self.tags
            return tag.removeprefix("name:")
        return ",".join(sorted(self.tags))


def is_k6(data: Any) -> bool:
    """Whether JSON is one of the three summaries of k6."""
    if not isinstance(data, dict):
        return False
    new = isinstance(data.get("results"), dict) and isinstance(data["results"].get("metrics"), list)
    metrics = data.get("metrics")
    return new or (
        isinstance(metrics, dict)
        and ("root_group" in data or any(name.partition("{")[0] in _ALWAYS for name in metrics))
    )


def read_k6(data: Mapping[str, Any], where: Path) -> Imported:
    """The figures of any of the three."""
    metrics = list(_metrics(data, where))
    took_s = _took_s(data, where)
    imported = Imported("k6")
    imported.summaries |= _http(metrics, took_s, where)
    iterations = next((count(one.values, "count", where) for one in metrics if one.name == "iterations"), 0)
    for one in metrics:
        if one.name not in _ELSEWHERE and not _PHASES.fullmatch(one.name):
            _other(one, imported, took_s, iterations, where)
    imported.summaries |= _checks(data, metrics, where)
    _remark(imported, metrics)
    return imported


def _metrics(data: Mapping[str, Any], where: Path) -> Iterator[_Metric]:
    """All metrics, whichever of the three it is."""
    if "results" in data:
        rows = sequence(data["results"]["metrics"], where, "results.metrics")
        named = [(str(mapping(row, where, "results.metrics").get("name")), row) for row in rows]
    else:
        named = [(name, mapping(one, where, name)) for name, one in mapping(data["metrics"], where, "metrics").items()]
    for name, row in named:
        values = mapping(row.get("values", row), where, name)
        match = _TAGGED.fullmatch(name)
        tags = map(_tag, match["tags"].split(",")) if match else ()
        yield _Metric(
            name=clean_name(match["metric"].strip() if match else name),
            tags=frozenset(clean_name(tag) for tag in tags if tag),
            values=values,
            kind=str(row["type"]) if isinstance(row.get("type"), str) else _kind(values),
            contains=str(row.get("contains") or ""),
        )


def _tag(written: str) -> str:
    """A tag as k6 takes it: `name:login`, however it is spaced and quoted in the script."""
    return ":".join(part.strip().strip("\"'") for part in written.split(":", 1))


def _kind(values: Mapping[str, Any]) -> str:
    """What a metric is, by its values: a summary export does not say it."""
    if {"passes", "matches"} & set(values):
        return "rate"
    if "value" in values:
        return "gauge" if {"min", "max"} & set(values) else "rate"
    if "count" in values and "rate" in values:
        return "counter"
    return "trend" if any(key in _STATS or _PERCENTILE.fullmatch(key) for key in values) else "counter"


def _took_s(data: Mapping[str, Any], where: Path) -> float | None:
    """How long the run took, where the file says it: the new summary has counts without rates."""
    seconds = figure(mapping(data.get("config") or {}, where, "config"), "duration", where)
    milliseconds = figure(mapping(data.get("state") or {}, where, "state"), "testRunDurationMs", where)
    return seconds or (milliseconds / 1000 if milliseconds else None)


def _latencies(values: Mapping[str, Any], where: Path) -> dict[str, float]:
    """The statistics of a trend; none for that of nothing at all, which is all zeros."""
    latencies = {}
    for key in values:
        match = _PERCENTILE.fullmatch(key)
        stat = f"p{float(match[1]):g}" if match else _STATS.get(key)
        value = figure(values, key, where) if stat else None
        if stat and value is not None:
            latencies[stat] = value
    return latencies if any(latencies.values()) else {}


def _http(metrics: list[_Metric], took_s: float | None, where: Path) -> dict[Series, Summary]:
    """Requests as a whole and by tags: counts, failures and times are in metrics of their own."""
    by_name: dict[str, dict[frozenset[str], _Metric]] = {_DURATION: {}, _FAILED: {}, _REQUESTS: {}}
    for one in metrics:
        if one.name in by_name:
            by_name[one.name][one.tags] = one
    every = {tags for named in by_name.values() for tags in named if "expected_response:false" not in tags}
    views = {tags - {_SUCCESSFUL} for tags in every}
    whole = _view(frozenset(), by_name, took_s, where)
    found = {}
    for tags in views:
        summary = _view(tags, by_name, took_s, where)
        label = _Metric("", tags, {}, "", "").label
        if tags and not summary.errors_known and whole.count and whole.errors_known and not whole.errors:
            summary = replace(summary, errors_known=True)  # of requests without a failure no part has one
        if summary.count or summary.stats:
            found[Series(HTTP, label)] = replace(summary, overlapping=bool(tags), in_total=not tags)
    return found


def _view(
    tags: frozenset[str], by_name: Mapping[str, Mapping[frozenset[str], _Metric]], took_s: float | None, where: Path
) -> Summary:
    """What the file says of the requests with these tags."""

    def values(name: str, *more: str) -> Mapping[str, Any]:
        metric = by_name[name].get(tags | set(more))
        return metric.values if metric else {}

    requests, duration, verdicts = values(_REQUESTS), values(_DURATION), values(_FAILED)
    attempts = count(requests, "count", where) or count(duration, "count", where)
    judged, errors = _judged(verdicts, attempts, where)
    attempts = max(attempts, judged)
    rate = figure(requests, "rate", where)
    return Summary(
        count=attempts,
        errors=errors,
        rate_per_s=rate if rate is not None else attempts / took_s if took_s and attempts else None,
        latencies_ms=_latencies(duration, where),
        success_ms=_latencies(values(_DURATION, _SUCCESSFUL), where),
        # Requests with `responseCallback: null` are in no rate of failures.
        errors_known=bool(verdicts) and judged >= attempts,
    )


def _judged(verdicts: Mapping[str, Any], attempts: int, where: Path) -> tuple[int, int]:
    """Of how many attempts a rate says whether they failed, and how many did: its "passes" are those that are true."""
    if "matches" in verdicts:
        judged = count(verdicts, "total", where)
        return judged, failed_of(judged, count(verdicts, "matches", where), where, _FAILED)
    if "passes" in verdicts:
        failed = count(verdicts, "passes", where)
        return failed + count(verdicts, "fails", where), failed
    share = figure(verdicts, "rate" if "rate" in verdicts else "value", where)
    if share is None:
        return 0, 0
    if share > 1:
        raise UsageError(f"{where}: '{_FAILED}' should be a share from 0 to 1, not {share:g}", code="R004")
    return attempts, round(share * attempts)


def _other(one: _Metric, imported: Imported, took_s: float | None, iterations: int, where: Path) -> None:
    """Metrics beside HTTP: trends are durations, rates say what share was true, counters count."""
    name = "iteration" if one.name == "iteration_duration" else one.name
    kinds = {"ws_connecting": CONNECT, "iteration_duration": COMPOSITE, "group_duration": COMPOSITE}
    series = Series(kinds.get(one.name, OTHER), f"{name}{{{one.label}}}" if one.tags else name)
    plain = Summary(0, 0, fallible=False, in_total=False, overlapping=bool(one.tags))
    if one.kind == "trend" and one.contains != "data":
        latencies = _latencies(one.values, where)
        attempts = count(one.values, "count", where) or (iterations if name == "iteration" and not one.tags else 0)
        if latencies:
            imported.summaries[series] = replace(plain, count=attempts, latencies_ms=latencies)
    elif one.kind == "rate":
        attempts, true = _judged(one.values, 0, where)
        if attempts:
            imported.summaries[series] = replace(plain, count=attempts, errors=true, fallible=True)
    elif one.kind == "counter":
        total = figure(one.values, "count", where)
        rate = figure(one.values, "rate", where)
        if total:
            rate = rate if rate is not None else total / took_s if took_s else None
            imported.summaries[series] = replace(plain, count=round(total), rate_per_s=rate)


def _checks(data: Mapping[str, Any], metrics: list[_Metric], where: Path) -> dict[Series, Summary]:
    """Checks as a whole and by name. What fails in one is no failed request, so they are in no total."""
    found = {}
    rows = [row for row in _check_rows(data, where) if count(row, "passes", where) + count(row, "fails", where)]
    passed, failed = (sum(count(row, key, where) for row in rows) for key in ("passes", "fails"))
    for one in metrics:
        if one.name == "checks" and not one.tags:
            judged, passed = _judged(one.values, 0, where)
            failed = judged - passed
    if passed + failed:
        found[_CHECKS] = Summary(passed + failed, failed, in_total=False)
    for row in rows:
        wrong, right = count(row, "fails", where), count(row, "passes", where)
        name = clean_name(row.get("path") or row.get("name")).removeprefix("::")
        found[Series(OTHER, f"check {name}")] = Summary(wrong + right, wrong, in_total=False, overlapping=True)
    return found


def _check_rows(data: Mapping[str, Any], where: Path) -> Iterator[Mapping[str, Any]]:
    """Every check with how often it passed and failed; groups and checks are lists, or objects by name."""
    if "results" in data:
        checks = data["results"].get("checks")
        yield from (mapping(row, where, "check") for row in _items((checks or {}).get("results"), where))
        return
    groups = [data.get("root_group")]
    while groups:
        group = groups.pop()
        if isinstance(group, dict):
            yield from (mapping(row, where, "check") for row in _items(group.get("checks"), where))
            groups += _items(group.get("groups"), where)


def _items(values: Any, where: Path) -> list[Any]:
    if isinstance(values, dict):
        return list(values.values())
    return list(sequence(values, where, "groups")) if values is not None else []


def _remark(imported: Imported, metrics: list[_Metric]) -> None:
    """Notes on what is not read, and on what the file does not say."""
    whole = imported.summaries.get(Series(HTTP, ""))
    if whole and not whole.errors_known:
        imported.notes.append("k6 did not say of all requests whether they failed (http_req_failed).")
    unitless = [one.name for one in metrics if one.kind == "trend" and one.contains == "default" and not one.tags]
    if unitless:
        imported.notes.append(f"k6 knows no unit of {', '.join(unitless)}: taken as milliseconds.")
    skipped = [
        one.name
        for one in metrics
        if not one.tags
        and one.name not in _ELSEWHERE
        and (one.kind == "gauge" or (one.kind == "trend" and one.contains == "data"))
    ]
    if skipped:
        imported.notes.append(f"Not read, since they are neither times nor counts: {', '.join(skipped)}.")
    dropped = imported.summaries.get(Series(OTHER, "dropped_iterations"))
    if dropped:
        imported.notes.append(f"k6 dropped {dropped.count:,} iterations: the rate that was asked for was not reached.")
