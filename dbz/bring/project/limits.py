"""Limits for a project's budgets, proposed from a first measurement."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

from dbz.bring.project.texts import schema_line
from dbz.measure.budget.metrics import CATALOGUE, SAMPLED_KINDS
from dbz.measure.latency.series import ACK, HTTP
from dbz.runs.schema import Deliveries, Operation, Run

_TIMES = 3.0
_MARGIN_MS = 50.0
"""A limit is so many times the measured p95, and at least so much above it: machines of CI are slow, and noisy."""
_ROUND = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
_MOST = 20
"""A file that somebody is to read has at most so many limits."""
_WRONG_DELIVERIES = {"lost": "lost", "duplicated": "twice", "out_of_order": "out of order", "astray": "astray"}
"""Ways in which deliveries go wrong, and what they are called in names of budgets."""
ANSWERED = (
    "  - {name: error_rate, of: errors, stat: error_rate, limit: \"< 0.1%\", required: true}\n"
    "  - {name: uptime, of: uptime, stat: rate, limit: \">= 99.9%\"}\n"
)  # fmt: skip
_HONEST = '  - {name: doubtful_answers, of: http.doubtful, stat: error_rate, limit: "< 0.1%"}\n'


def limit_ms(measured_ms: float) -> float:
    """A round limit for what was measured."""
    least = max(measured_ms * _TIMES, measured_ms + _MARGIN_MS)
    magnitude = 10.0 ** math.floor(math.log10(least))
    return next(step * magnitude for step in _ROUND if step * magnitude >= least * (1 - 1e-9))


def budgets_text(first: Run | None) -> str:
    """`budgets.yaml`; without a first measurement it only demands that what is asked is answered."""
    head = [
        schema_line("budgets"),
        "# What every run must keep: a broken limit ends `dbz load` with exit code 1, and turns CI red.",
        "# More statistics, windows, and limits against a baseline: docs/budgets.md; `dbz budget metrics` lists all.",
    ]
    if first is not None:
        head += [
            f"# Limits of latency are proposals: three times the p95 of a first run of {first.window.seconds:.0f} s.",
            "# Put there what your users need.",
        ]
    lines = [*_honest(first), *_limits(first)] if first is not None else [_HONEST]
    return "\n".join(head) + "\nschema: dbz.budgets/1\nbudgets:\n" + ANSWERED + "".join(lines)


def _limits(first: Run) -> Iterator[str]:
    kinds = sorted(SAMPLED_KINDS)
    measured = [one for one in first.operations if one.kind in kinds and '"' not in one.name]
    ranked = sorted(measured, key=lambda one: -one.count)[:_MOST]
    for operation in sorted(ranked, key=lambda one: (one.kind != "http", one.kind, one.name)):
        yield _limit(operation)
    for event in first.deliveries:
        if event.expected and '"' not in event.event:
            for metric, called in _WRONG_DELIVERIES.items():
                yield _delivery_limit(event, metric, called)


def _delivery_limit(event: Deliveries, metric: str, called: str) -> str:
    """That the messages of an event do not go wrong in one way, unless they did when they were measured first."""
    wrong = getattr(event, metric)
    if wrong and metric != "lost":
        return f"  # {event.event}: {wrong} of {event.expected} messages {called}, so no limit is proposed\n"
    name = json.dumps(f"{event.event} {called}", ensure_ascii=False)
    of = f"'delivery.{metric}{{event=\"{_doubled(event.event)}\"}}'"
    return f'  - {{name: {name}, of: {of}, stat: error_rate, limit: "< 0.1%"}}\n'


def _honest(first: Run) -> Iterator[str]:
    """That good answers say no error: all but those of operations that did say some when they were measured first."""
    for kind, name, answers in ((HTTP, "doubtful_answers", "answers"), (ACK, "doubtful_acks", "acknowledgements")):
        rows = [one for one in first.operations if one.kind == kind]
        doubted = [one for one in rows if one.doubtful]
        for one in doubted:
            share = one.doubtful / (one.count - one.errors)
            yield f"  # {one.name}: {share:.1%} of the good {answers} say an error, so it is left out below\n"
        label = CATALOGUE[f"{kind}.doubtful"].label
        left_out = ", ".join(f'{label}!="{_doubled(one.name)}"' for one in doubted)
        of = f"'{kind}.doubtful{{{left_out}}}'" if doubted else f"{kind}.doubtful"
        if len(doubted) < len(rows):
            yield f'  - {{name: {name}, of: {of}, stat: error_rate, limit: "< 0.1%"}}\n'


def _limit(operation: Operation) -> str:
    p95 = operation.latency_ms.p95
    called = operation.name if operation.kind == "http" else f"{operation.kind} {operation.name}".strip()
    if p95 is None:
        return f"  # {called}: {operation.errors} of {operation.count} failed, so no limit can be proposed\n"
    label = CATALOGUE[operation.kind].label
    of = f"'{operation.kind}{{{label}=\"{_doubled(operation.name)}\"}}'" if operation.name else operation.kind
    name = json.dumps(called[:80], ensure_ascii=False)
    limit = f"{limit_ms(p95):g}ms"
    return f'  - {{name: {name}, of: {of}, stat: p95, limit: "< {limit}"}}   # measured: {p95:.1f} ms\n'


def _doubled(name: str) -> str:
    return name.replace("'", "''")
