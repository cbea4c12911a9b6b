"""Where the figures of a run's server come from, and why there are none, as the record says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dbz.measure.budget.verdicts import Outcome, Verdict
from dbz.runs.schema import ServerSource
from dbz.runs.storage.reading import Record

FIGURES = {
    "server.cpu": "cpu",
    "server.memory": "memory",
    "server.connections": "connections",
    "server.event_loop_lag": "event_loop_lag",
    "server.active_requests": "active_requests",
    "server.query": "queries",
}
"""Metrics of budgets, and what the sources of figures call them."""
_NOBODY = "the target has no /metrics with figures that we know, and none of its processes can be seen from here"


def server_sources(record: Record) -> dict[str, ServerSource]:
    """Where each figure comes from; of one whose source changed meanwhile all sources, in order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in record.server:
        for figure, source in line.get("sources", {}).items():
            before = found.setdefault(figure, [])
            if source not in before:
                before.append(source)
    return {figure: _joined(sources) for figure, sources in found.items()}


def _joined(sources: Sequence[dict[str, Any]]) -> ServerSource:
    origins, metrics, notes = (
        ", then ".join(dict.fromkeys(filter(None, (source.get(key, "") for source in sources))))
        for key in ("origin", "metric", "note")
    )
    return ServerSource(origin=origins, metric=metrics, note=notes)


def explained(verdicts: Sequence[Verdict], record: Record) -> list[Verdict]:
    """The verdicts, with a remark on each figure of the server that nobody told, and on a missing health probe."""
    missing: dict[str, str] = {}
    trouble = ""
    for line in record.server:
        missing = line.get("missing", missing)
        trouble = str(line.get("metrics_trouble", trouble))
    told = any("sources" in line for line in record.server)
    general = "" if told else trouble or _NOBODY

    def remark(verdict: Verdict) -> Verdict:
        name = verdict.budget.of.metric.name
        if verdict.outcome is not Outcome.NOT_MEASURED or verdict.note or not record.workers:
            return verdict
        if name == "uptime":
            return replace(verdict, note=_no_health(record))
        return replace(verdict, note=missing.get(FIGURES[name], general)) if name in FIGURES else verdict

    return [remark(verdict) for verdict in verdicts]


def _no_health(record: Record) -> str:
    """Why nothing says whether the target was up: empty when that is not known."""
    last = next((line for line in reversed(record.server) if "asked" in line), None)
    if last is None:
        return ""
    came = f"answers {last['health']}" if isinstance(last["health"], int) else f"is never answered ({last['health']})"
    return f"{last['asked']} {came}: --health PATH names what says whether the target is well"


def health_notes(verdicts: Sequence[Verdict]) -> list[str]:
    """What a reader should know of a health probe that is waited for in vain; 404 is an ordinary answer instead."""
    return [
        f"{verdict.budget.name} was not measured: {verdict.note}"
        for verdict in verdicts
        if verdict.budget.of.metric.name == "uptime" and verdict.outcome is Outcome.NOT_MEASURED
        if "never answered" in verdict.note
    ]
