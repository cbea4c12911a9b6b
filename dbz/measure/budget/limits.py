"""Limits of budgets: how they are written, what holds, and how values look in their unit.

limit   = ( "<" | "<=" | ">" | ">=" ) value
value   = a number with the unit of the statistic: 500ms, 0.1%, 4GB, 200/s, 500
against = "baseline" ( "+" | "-" ) number "%"
"""

from __future__ import annotations

import math
import operator
import re
from dataclasses import dataclass

from dbz.units import (
    format_bytes,
    format_ms,
    format_number,
    format_percent,
    parse_duration,
    parse_percent,
    parse_rate,
    parse_size,
)

_COMPARE = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_LIMIT = re.compile(r"(<=|>=|<|>)\s*(.+)")
_AGAINST = re.compile(r"baseline\s*([+-])\s*(\d+(?:\.\d+)?)\s*%")


@dataclass(frozen=True)
class Limit:
    """A comparison with a value in a unit (`ms`, `%` as a fraction of one, `bytes`, `/s`, or none).

    One that is relative to a baseline has an allowance: +0.1 for at most 10 % above it, -0.1 for at most 10 % below.
    Its value is NaN until the baseline is known.
    """

    op: str
    value: float
    unit: str
    allowance: float | None = None

    def holds(self, value: float) -> bool:
        """Whether a measured value is within the limit."""
        return bool(_COMPARE[self.op](value, self.value))

    @property
    def known(self) -> bool:
        """Whether there is a value to compare with."""
        return not math.isnan(self.value)

    @property
    def upper(self) -> bool:
        """Whether lower values are better."""
        return self.op.startswith("<")

    def __str__(self) -> str:
        fixed = f"{self.op} {format_value(self.value, self.unit)}"
        if self.allowance is None:
            return fixed
        relative = f"baseline {self.allowance * 100:+g} %"
        return f"{fixed} ({relative})" if self.known else relative


def parse_limit(text: str, unit: str) -> Limit:
    """Read `< 500ms` or `>= 99.9%` for a statistic given in `unit`; `ValueError` says what would be allowed."""
    match = _LIMIT.fullmatch(text.strip())
    if not match:
        raise ValueError(f"'{text}' is not a limit; write a comparison (<, <=, >, >=) and a value, like '< 500ms'")
    return Limit(match[1], _parse_value(match[2].strip(), unit), unit)


def parse_against(text: str, unit: str) -> Limit:
    """Read `baseline +10%` (at most so much more) or `baseline -5%` (at most so much less)."""
    match = _AGAINST.fullmatch(text.strip())
    if not match:
        raise ValueError(f"'{text}' is not relative to a baseline; write for example 'baseline +10%' or 'baseline -5%'")
    allowance = float(match[2]) / 100
    return Limit("<=" if match[1] == "+" else ">=", math.nan, unit, allowance if match[1] == "+" else -allowance)


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
    return f"{value:,.4g}{unit}" if 1e-4 <= abs(value) < 1e4 or not value else f"{format_number(value)}{unit}"


def format_interval(low: float | None, high: float | None, unit: str) -> str:
    """An interval for people, the unit once: `119–127 ms`; an end that samples are too few for is open."""
    if low is None and high is None:
        return ""
    if high is None or math.isinf(high):
        return f"from {format_value(low, unit)}" if low is not None and not math.isinf(low) else "unknown"
    if low is None or math.isinf(low):
        return f"up to {format_value(high, unit)}"
    low_text, high_text = format_value(low, unit), format_value(high, unit)
    shared = next((f" {name}" for name in ("ms", "%", "GB", "MB", "KB", "B") if low_text.endswith(f" {name}")), "")
    return f"{low_text.removesuffix(shared) if high_text.endswith(shared) else low_text}–{high_text}"
