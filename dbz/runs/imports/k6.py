"""k6: `--summary-export`, the data of `handleSummary()`, and the summary of `--new-machine-readable-summary`.

Thresholds in a summary export are inverted (true means broken); they are not read at all: budgets are the judges here.
A trend that saw nothing has zeros, and k6 lets those pass `p(95)<200`; here they are not measured.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dbz.measure.latency.series import COMPOSITE, CONNECT, HTTP, OTHER, Series
from dbz.measure.latency.summaries import Summary
from dbz.runs.imports.imported import Imported, mapping, sequence

_ALWAYS = ("iterations", "iteration_duration", "vus")
"""Metrics one of which every run has: by them the metrics alone, as some `handleSummary()` write them, are known."""
_NAMED = re.compile(r"(?P<metric>[\w.]+)(?:\{(?P<tags>.*)\})?")
_STATS = {"avg": "mean", "med": "p50", "max": "max", "min": "min"}
_PERCENTILE = re.compile(r"p\((\d+(?:\.\d+)?)\)")
_PHASES = re.compile(r"http_req_(blocked|connecting|tls_handshaking|sending|waiting|receiving)|http_req_duration")


def is_k6(data: Any) -> bool:
    """Whether JSON is one of the three summaries of k6."""
    if not isinstance(data, dict):
        return False
    new = isinstance(data.get("results"), dict) and "metrics" in data["results"]
    metrics = data.get("metrics")
    return new or (isinstance(metrics, dict) and ("root_group" in data or any(name in metrics for name in _ALWAYS)))


def read_k6(data: Mapping[str, Any], where: Path) -> Imported:
    """The figures of any of the three."""
    metrics = _metrics(data, where)
    imported = Imported("k6")
    took_s = _took_s(data)
    rates = {name: values for name, values in metrics.items() if name.startswith(("http_reqs", "http_req_failed"))}
    for name, values in metrics.items():
        match = _NAMED.fullmatch(name)
        if match is None or not _is_trend(values):
            continue
        series = _series(match["metric"], match["tags"] or "")
        summary = _summary(values, rates, match["tags"], took_s) if series and series.kind == HTTP else _alone(values)
        if series and summary:
            imported.summaries[series] = summary
    return imported


def _metrics(data: Mapping[str, Any], where: Path) -> dict[str, Mapping[str, Any]]:
    """Values by metric, whichever of the three it is."""
    if "results" in data:
        rows = sequence(data["results"]["metrics"], where, "results.metrics")
        return {str(row["name"]): mapping(row.get("values"), where, "values") for row in rows if isinstance(row, dict)}
    named = mapping(data["metrics"], where, "metrics")
    return {name: one.get("values", one) for name, one in named.items() if isinstance(one, dict)}


def _took_s(data: Mapping[str, Any]) -> float | None:
    """How long the run took, where the file says it: the new summary has counts without rates."""
    seconds = data.get("config", {}).get("duration")
    milliseconds = data.get("state", {}).get("testRunDurationMs")
    return seconds or (milliseconds / 1000 if milliseconds else None)


def _is_trend(values: Mapping[str, Any]) -> bool:
    return "avg" in values


def _series(metric: str, tags: str) -> Series | None:
    name = tags.partition(":")[2] if tags.startswith("name:") else tags
    if metric == "http_req_duration":
        return None if tags == "expected_response:true" else Series(HTTP, name)
    if _PHASES.fullmatch(metric):
        return None
    kinds = {"ws_connecting": CONNECT, "iteration_duration": COMPOSITE, "group_duration": COMPOSITE}
    own = "iteration" if metric == "iteration_duration" else metric
    return Series(kinds.get(metric, OTHER), f"{own}{{{tags}}}" if tags else own)


def _summary(
    values: Mapping[str, Any], rates: Mapping[str, Mapping[str, Any]], tags: str | None, took_s: float | None
) -> Summary | None:
    suffix = f"{{{tags}}}" if tags else ""
    requests, failures = rates.get(f"http_reqs{suffix}", {}), rates.get(f"http_req_failed{suffix}", {})
    count = int(requests.get("count", 0))
    share = failures.get("rate", failures.get("value", 0.0))
    summary = _alone(values)
    if summary is None or (not tags and not count):
        return None
    rate = requests.get("rate", count / took_s if took_s else None)
    return Summary(count, round(share * count), rate, summary.latencies_ms)


def _alone(values: Mapping[str, Any]) -> Summary | None:
    """A trend whose number of samples the file does not say; None when it is that of nothing at all."""
    latencies = {}
    for key, value in values.items():
        match = _PERCENTILE.fullmatch(key)
        stat = f"p{match[1]}" if match else _STATS.get(key)
        if stat and isinstance(value, int | float) and not isinstance(value, bool):
            latencies[stat] = float(value)
    return Summary(int(values.get("count", 0)), 0, None, latencies) if any(latencies.values()) else None
