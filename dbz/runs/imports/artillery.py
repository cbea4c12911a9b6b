"""Artillery: `--output` of version 2, and the reports that versions 1 and 2.0.0-dev wrote.

A request without an answer and one with a status from 400 up have failed. So has an emit of Socket.IO whose response
did not come, or was not the expected one: these are counted under `errors.` and nowhere else. How many times there are
says little of how many emits succeeded, since one with a response has two and one with a wrong response has one. Errors
that belong to neither, as of a connection that was never opened, are failed attempts of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dbz.measure.latency.series import ACK, COMPOSITE, HTTP, OTHER, Series
from dbz.measure.latency.summaries import Summary
from dbz.runs.imports.imported import Imported, clean_name, count, counts, figure, mapping

_STATS = {"min": "min", "max": "max", "mean": "mean", "p50": "p50", "p75": "p75", "p90": "p90", "p95": "p95"}
_STATS |= {"median": "p50", "p99": "p99", "p999": "p99.9"}
_NOTE = (
    "Artillery's response times are whole milliseconds, from the end of the request to the first byte of the answer."
)
_EMIT_NOTE = (
    "Artillery takes an emit that waits for nothing for one answered at once, and has one figure for all events."
)
_UNANSWERED_EMITS = ("response timeout", "invalid arguments")
_WRONG_ANSWERS = ("data is not valid", "Failed match")
"""What the engine for Socket.IO calls the failures of an emit: those without a response time, and those with one."""
_CONNECTION = re.compile(
    r"poll|post error|websocket|socket hang up|timeout|connect|ECONN|ENOTFOUND|EPIPE", re.IGNORECASE
)
"""Names of errors that are of a connection and of no emit."""
_ITS_OWN = ("http.", "vusers.", "errors.", "plugins.", "socketio.", "websocket.", "engine.", "core.", "apdex.")
"""How the names of metrics begin that no script has made up."""
_BY_ENDPOINT = "plugins.metrics-by-endpoint."
_SHOWN = 20
_ENDPOINT = re.compile(re.escape(_BY_ENDPOINT) + r"(?P<name>.+)\.(codes|errors)\.", re.DOTALL)
_OLD_ENDPOINT = re.compile(re.escape(_BY_ENDPOINT) + r"response_time\.(?P<name>.+)", re.DOTALL)


def is_artillery(data: Any) -> bool:
    """Whether JSON is a report of Artillery."""
    whole = data.get("aggregate") if isinstance(data, dict) else None
    return isinstance(whole, dict) and ("counters" in whole or {"codes", "latency"} <= set(whole))


def read_artillery(data: Mapping[str, Any], where: Path) -> Imported:
    """Requests, sockets and sessions; what was never answered has failures and no latencies."""
    whole = data["aggregate"]
    if "latency" in whole and "codes" in whole:
        return _read_legacy(whole, where)
    report = _Report(whole, where)
    imported = Imported("Artillery", summaries=report.summaries())
    for series, summary in report.endpoints():
        imported.add(series, summary)
    for name, summary in report.made_up():
        imported.add(Series(OTHER, clean_name(name)), summary)
    if report.unitless:
        imported.notes.append(f"Artillery knows no unit of {', '.join(report.unitless)}: taken as milliseconds.")
    if report.skipped:
        imported.notes.append(f"Artillery skipped {report.skipped:,} sessions: what was asked for was not reached.")
    if Series(HTTP, "") in imported.summaries:
        imported.notes.append(_NOTE)
    if Series(ACK, "") in imported.summaries:
        imported.notes.append(_EMIT_NOTE)
    return imported


def _rounding_ms(value_ms: float) -> float:
    """By how much a percentile may be off: its sketch knows it to 1 %, and it is written with one decimal."""
    return value_ms / 100 + 0.05


def _http_rounding_ms(value_ms: float) -> float:
    """The same for HTTP, which is measured in whole milliseconds."""
    return value_ms / 100 + 0.5


class _Report:
    """The counters and figures of a report, and what they come to."""

    def __init__(self, whole: Mapping[str, Any], where: Path) -> None:
        self._where = where
        self._counters = counts(whole.get("counters") or {}, where, "aggregate.counters")
        self._figures = mapping(whole.get("summaries") or whole.get("histograms") or {}, where, "aggregate.summaries")
        begun, ended = (figure(whole, key, where) or 0.0 for key in ("firstCounterAt", "lastCounterAt"))
        self._seconds = (ended - begun) / 1000
        self.skipped = self._counters.get("vusers.skipped", 0)
        """Sessions that were not begun, since too many were under way."""
        errors = {name.removeprefix("errors."): n for name, n in self._counters.items() if name.startswith("errors.")}
        self._lost = self._lost_requests(sum(errors.values()))
        self._emits = self._counters.get("socketio.emit", 0)
        silent, wrong = (sum(errors.pop(name, 0) for name in names) for names in (_UNANSWERED_EMITS, _WRONG_ANSWERS))
        # An emit that succeeded has a time at least, so those without one did not, whatever became of them.
        untimed = self._emits - self._samples("socketio.response_time") - wrong
        self._unanswered = min(max(silent, untimed if self._emits else 0), self._emits)
        self._wrong_answers = min(wrong, self._emits - self._unanswered)
        # What is left are errors of neither: of a connection, or of what was expected of an answer.
        self._others = max(sum(errors.values()) - self._lost, 0)
        self._of_connections = sum(n for name, n in errors.items() if _CONNECTION.search(name))

    def summaries(self) -> dict[Series, Summary]:
        """Requests, emits and sessions as a whole, and errors of none of them."""
        lost, emits, others = self._lost, self._emits, self._others
        sockets = bool(emits) or any(name.startswith("websocket.") for name in self._counters)
        wrong = 0 if sockets else others
        found = {
            Series(HTTP, ""): self._requests("http.", "http.response_time", lost, wrong, known=wrong == others),
            Series(ACK, ""): self._summary(
                "socketio.response_time",
                emits,
                self._unanswered + self._wrong_answers,
                untimed=self._unanswered,
                known=others <= self._of_connections,
            ),
            Series(COMPOSITE, "session"): self._sessions(),
        }
        if others and (sockets or not found[Series(HTTP, "")].count):
            found[Series(OTHER, "errors")] = Summary(others, others, untimed=others)
        return {series: summary for series, summary in found.items() if summary.count}

    def endpoints(self) -> Iterator[tuple[Series, Summary]]:
        """The operations that the plugin `metrics-by-endpoint` tells apart."""
        matches = [_ENDPOINT.match(name) for name in self._counters]
        matches += [_OLD_ENDPOINT.fullmatch(name) for name in self._figures]
        for name in dict.fromkeys(match["name"] for match in matches if match):
            prefix, times = f"{_BY_ENDPOINT}{name}.", f"{_BY_ENDPOINT}response_time.{name}"
            lost = self._sum(f"{prefix}errors.")
            summary = self._requests(prefix, times, lost, 0, known=not self._others)
            if summary.count:
                yield Series(HTTP, clean_name(name)), summary

    @property
    def unitless(self) -> list[str]:
        """Figures of the scripts' own, of which nothing says what they are."""
        return [clean_name(name) for name in self._figures if not name.startswith(_ITS_OWN)][:_SHOWN]

    def made_up(self) -> Iterator[tuple[str, Summary]]:
        """Histograms and counters that scripts, or the engine for browsers, keep beside Artillery's own."""
        plain = Summary(0, 0, fallible=False, in_total=False)
        for name, times in self._figures.items():
            if not name.startswith(_ITS_OWN):
                latencies = _latencies(times, name, self._where)
                yield name, replace(plain, count=self._samples(name), latencies_ms=latencies, rounding=_rounding_ms)
        for name, times in self._counters.items():
            if not name.startswith(_ITS_OWN) and times:
                rate = times / self._seconds if self._seconds > 0 else None
                yield name, replace(plain, count=times, rate_per_s=rate)

    def _sum(self, prefix: str) -> int:
        return sum(times for name, times in self._counters.items() if name.startswith(prefix))

    def _samples(self, times: str) -> int:
        return count(mapping(self._figures.get(times) or {}, self._where, times), "count", self._where)

    def _answered(self, prefix: str, times: str) -> int:
        return self._sum(f"{prefix}codes.") or self._samples(times)

    def _lost_requests(self, errors: int) -> int:
        """Requests that were never answered. A redirect that was followed is a further request with no answer of its
        own: so they are no more than there are errors, and sessions that neither ended well nor failed."""
        created, completed, failed = (
            self._counters.get(f"vusers.{what}", 0) for what in ("created", "completed", "failed")
        )
        open_requests = self._counters.get("http.requests", 0) - self._answered("http.", "http.response_time")
        return max(min(open_requests, errors + max(created - completed - failed, 0)), 0)

    def _requests(self, prefix: str, times: str, lost: int, wrong: int, *, known: bool) -> Summary:
        """HTTP requests; `wrong` are errors that must be of answers, which may be refusals or not."""
        answered = self._answered(prefix, times)
        refused = self._sum(f"{prefix}codes.4") + self._sum(f"{prefix}codes.5")
        errors = min(max(refused, wrong), answered)
        # Some of the wrong answers may be refusals, so it is only known that there are not fewer.
        summary = self._summary(times, answered + lost, errors + lost, untimed=lost, known=known)
        if not wrong:
            return summary
        # The times by status do not tell wrong answers from right ones.
        return replace(summary, success_ms={}, errors_known=known and not refused)

    def _sessions(self) -> Summary:
        failed = self._counters.get("vusers.failed", 0)
        completed = self._samples("vusers.session_length") or self._counters.get("vusers.completed", 0)
        return self._summary("vusers.session_length", completed + failed, failed, untimed=failed)

    def _summary(self, times: str, attempts: int, errors: int, *, untimed: int, known: bool = True) -> Summary:
        http = "response_time" in times and not times.startswith("socketio")
        redirected = self._samples(f"{times}.3xx")
        return Summary(
            count=attempts,
            errors=errors,
            rate_per_s=attempts / self._seconds if self._seconds > 0 else None,
            latencies_ms=_latencies(self._figures.get(times), times, self._where),
            rounding=_http_rounding_ms if http else _rounding_ms,
            # The times by status are of successes alone as long as no redirect has times of its own.
            success_ms={} if redirected else _latencies(self._figures.get(f"{times}.2xx"), times, self._where),
            untimed=untimed,
            errors_known=known,
            told_elsewhere=not known,
        )


def _latencies(values: Any, what: str, where: Path) -> dict[str, float]:
    named = mapping(values or {}, where, what)
    found = {ours: figure(named, theirs, where) for theirs, ours in _STATS.items() if theirs in named}
    return {stat: value for stat, value in found.items() if value is not None}


def _read_legacy(whole: Mapping[str, Any], where: Path) -> Imported:
    """A report of version 1, which does not say whether it is of HTTP or of sockets: only HTTP has codes."""
    codes, errors = (counts(whole.get(key) or {}, where, f"aggregate.{key}") for key in ("codes", "errors"))
    issued = count(mapping(whole.get("rps") or {}, where, "aggregate.rps"), "count", where)
    completed = count(whole, "requestsCompleted", where)
    answered, failed = sum(codes.values()) or completed, sum(errors.values())
    refused = sum(times for code, times in codes.items() if code[:1] in "45")
    lost = min(issued - answered, failed) if issued > answered else failed
    wrong = min(failed - lost, answered)
    http = bool(codes) or not answered
    attempts = answered + lost
    rate = figure(mapping(whole.get("rps") or {}, where, "aggregate.rps"), "mean", where)
    imported = Imported("Artillery")
    if attempts:
        imported.summaries[Series(HTTP if http else ACK, "")] = Summary(
            count=attempts,
            errors=min(max(refused, wrong), answered) + lost,
            rate_per_s=rate or None,
            latencies_ms=_latencies(whole.get("latency"), "aggregate.latency", where),
            rounding=_http_rounding_ms if http else _rounding_ms,
            untimed=lost,
            errors_known=not (refused and wrong),
        )
    created, completed_sessions = (count(whole, key, where) for key in ("scenariosCreated", "scenariosCompleted"))
    if created:
        unfinished = max(created - completed_sessions, 0)
        imported.summaries[Series(COMPOSITE, "session")] = Summary(
            count=created,
            errors=unfinished,
            latencies_ms=_latencies(whole.get("scenarioDuration"), "aggregate.scenarioDuration", where),
            rounding=_rounding_ms,
            untimed=unfinished,
        )
    return imported
