"""Performance budgets and their verdicts."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from dbz.measure.metrics import Measurements, Selector, check_stat, measure, parse_selector, unit_of
from dbz.units import format_bytes, format_ms, format_percent, parse_duration, parse_percent, parse_rate, parse_size

_COMPARE = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_LIMIT = re.compile(r"(<=|>=|<|>)\s*(.+)")


class Outcome(StrEnum):
    """What became of one budget."""

    PASS = "pass"
    BROKEN = "broken"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Limit:
    """A comparison with a value in a unit (`ms`, `%` as a fraction of one, `bytes`, `/s`, or none)."""

    op: str
    value: float
    unit: str

    def holds(self, value: float) -> bool:
        """Whether a measured value is within the limit."""
        return bool(_COMPARE[self.op](value, self.value))

    def __str__(self) -> str:
        return f"{self.op} {format_value(self.value, self.unit)}"


@dataclass(frozen=True)
class Budget:
    """A limit on one statistic of one metric; a `required` one that was not measured breaks the run."""

    name: str
    of: Selector
    stat: str
    limit: Limit
    required: bool = False


@dataclass(frozen=True)
class Verdict:
    """A budget, what was measured of it (None when nothing was), and what became of it."""

    budget: Budget
    outcome: Outcome
    value: float | None
    samples: int

    @property
    def breaks_run(self) -> bool:
        """Whether the run fails because of this budget."""
        return self.outcome is Outcome.BROKEN or (self.outcome is Outcome.NOT_MEASURED and self.budget.required)

    @property
    def reason(self) -> str:
        """Why the run fails because of this budget, in one sentence; empty when it does not."""
        budget = self.budget
        if not self.breaks_run:
            return ""
        if self.value is None:
            return f"{budget.name}: required, but {budget.of} was not measured"
        return f"{budget.name}: {budget.stat} of {budget.of} {self._found()}, limit {budget.limit}{self._by_how_much()}"

    def _found(self) -> str:
        value, limit = cast(float, self.value), self.budget.limit
        if math.isinf(value):
            server = self.budget.of.metric.name == "server.query"
            return "is beyond the server's slowest bucket" if server else "falls on failed attempts"
        shown = format_value(value, limit.unit)
        # Never "500 ms, limit < 500 ms": show the digits that decide.
        close = shown == format_value(limit.value, limit.unit)
        return f"is {value * (100 if limit.unit == '%' else 1):.9g} {limit.unit}".rstrip() if close else f"is {shown}"

    def _by_how_much(self) -> str:
        limit = self.budget.limit.value
        if self.value is None or not limit or math.isinf(self.value):
            return ""
        share = self.value / limit
        if self.budget.limit.op.startswith(">"):
            return f" ({(1 - share) * 100:.3g} % short)" if share < 1 else ""
        if share >= 2:
            return f" ({share:,.3g} times the limit)"
        return f" ({(share - 1) * 100:.3g} % over)" if share > 1 else ""


def parse_limit(text: str, unit: str) -> Limit:
    """Read `< 500ms` or `>= 99.9%` for a statistic given in `unit`; `ValueError` says what would be allowed."""
    match = _LIMIT.fullmatch(text.strip())
    if not match:
        raise ValueError(f"'{text}' is not a limit; write a comparison (<, <=, >, >=) and a value, like '< 500ms'")
    return Limit(match[1], _parse_value(match[2].strip(), unit), unit)


def parse_budget(name: str, of: str, stat: str, limit: str, *, required: bool = False) -> Budget:
    """A budget from the texts of a budgets file; `ValueError` for the first of them that is wrong."""
    selector = parse_selector(of)
    check_stat(selector.metric, stat)
    return Budget(name, selector, stat, parse_limit(limit, unit_of(selector.metric, stat)), required)


def judge(budgets: Sequence[Budget], found: Measurements) -> list[Verdict]:
    """The verdict of each budget over the judged part of a run."""
    return [_judge_one(budget, found) for budget in budgets]


def _judge_one(budget: Budget, found: Measurements) -> Verdict:
    measured = measure(budget.of, budget.stat, found)
    if measured is None:
        return Verdict(budget, Outcome.NOT_MEASURED, None, 0)
    outcome = Outcome.PASS if budget.limit.holds(measured.value) else Outcome.BROKEN
    return Verdict(budget, outcome, measured.value, measured.samples)


def _parse_value(text: str, unit: str) -> float:
    if unit == "ms":
        return parse_duration(text) * 1000
    if unit == "%":
        return parse_percent(text)
    if unit == "bytes":
        return float(parse_size(text))
    if unit == "/s":
        return parse_rate(text)
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"'{text}' is not a number; write for example 500 or 0.5")
    return float(text)


def format_value(value: float, unit: str) -> str:
    """A value in its unit, for people; an infinite latency is one whose attempts failed."""
    if math.isinf(value):
        return "failed"
    if unit == "ms":
        return format_ms(value)
    if unit == "%":
        return format_percent(value)
    if unit == "bytes":
        return format_bytes(value)
    return f"{value:,.4g}{unit}" if value < 1e6 else f"{value:,.0f}{unit}"
