"""The part of CloudWatch's metric math that scaling needs, with missing datapoints as its user guide says.

Numbers, `+ - * / ^`, comparisons, AND, OR, `IF(a, b[, c])`, `FILL(m, number | m | REPEAT | LINEAR)`, and ABS, CEIL and
FLOOR of a series. A series has one value a period, None where there is none:

* arithmetic, a comparison of two series and AND, OR take a missing value for 0 as long as the other side has one;
* with a number on the other side, missing stays missing; so does what would be divided by zero;
* IF is missing where its condition is, and where it is false and nothing stands for that; where it is true and its
  value is missing, it is 0.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

Series = list[float | None]
Value = float | Series
"""A number, or one value a period."""
_ARITHMETIC: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}  # fmt: skip
_COMPARISONS: dict[type, Callable[[float, float], bool]] = {
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Eq: operator.eq, ast.NotEq: operator.ne,
}  # fmt: skip
_LOGICAL: dict[type, Callable[[float, float], float]] = {
    ast.And: lambda a, b: float(bool(a) and bool(b)),
    ast.Or: lambda a, b: float(bool(a) or bool(b)),
}
_ROUNDING: dict[str, Callable[[float], float]] = {"ABS": abs, "CEIL": math.ceil, "FLOOR": math.floor}
_WORDS = {"AND": "and", "OR": "or", "&&": " and ", "||": " or ", "^": "**"}
_TOKENS = re.compile(r"\bAND\b|\bOR\b|&&|\|\||\^")


def evaluate(expression: str, values: Mapping[str, float]) -> float | None:
    """The value of an expression over one period, true as 1, None where it is missing; `ValueError` as below."""
    return evaluate_series(expression, {name: [value] for name, value in values.items()}, 1)[0]


def evaluate_series(expression: str, series: Mapping[str, Sequence[float | None]], periods: int) -> Series:
    """The value in each of so many periods, over metrics by their ids, true as 1.

    `ValueError` for anything outside the part that is known.
    """
    text = _TOKENS.sub(lambda match: _WORDS[match[0]], expression)
    try:
        value = _Evaluation({name: list(values) for name, values in series.items()}, periods).of(
            ast.parse(text.strip(), mode="eval").body
        )
    except (SyntaxError, KeyError) as error:
        raise ValueError(f"expression '{expression}' is not known here: {error}") from None
    return value if isinstance(value, list) else [value] * periods


class _Evaluation:
    """One expression over series of one length."""

    def __init__(self, series: Mapping[str, Series], periods: int) -> None:
        self._series, self._periods = series, periods

    def of(self, node: ast.expr) -> Value:
        """The value of a part of the expression."""
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            return float(node.value)
        if isinstance(node, ast.Name):
            return self._series[node.id]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return self._each(lambda value: -value, self.of(node.operand))
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            return self._both(_ARITHMETIC[type(node.op)], self.of(node.left), self.of(node.right))
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            compare = _COMPARISONS[type(node.ops[0])]
            return self._both(lambda a, b: float(compare(a, b)), self.of(node.left), self.of(node.comparators[0]))
        if isinstance(node, ast.BoolOp):
            join = _LOGICAL[type(node.op)]
            value = self.of(node.values[0])
            for other in node.values[1:]:
                value = self._both(join, value, self.of(other))
            return value
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            return self._call(node.func.id, node.args)
        raise KeyError(ast.dump(node)[:40])

    def _call(self, name: str, arguments: list[ast.expr]) -> Value:
        if name == "IF" and len(arguments) in (2, 3):
            return self._if(*(self.of(one) for one in arguments))
        if name == "FILL" and len(arguments) == 2:
            return self._fill(self._as_series(self.of(arguments[0])), arguments[1])
        if name in _ROUNDING and len(arguments) == 1:
            return self._each(_ROUNDING[name], self.of(arguments[0]))
        raise KeyError(name)

    def _as_series(self, value: Value) -> Series:
        return value if isinstance(value, list) else [value] * self._periods

    def _each(self, change: Callable[[float], float], value: Value) -> Value:
        if isinstance(value, float):
            return change(value)
        return [None if one is None else float(change(one)) for one in value]

    def _both(self, join: Callable[[float, float], float], left: Value, right: Value) -> Value:
        if isinstance(left, float) and isinstance(right, float):
            return join(left, right)
        alone = isinstance(left, float) or isinstance(right, float)  # a number fills no gap of the series beside it
        pairs = zip(self._as_series(left), self._as_series(right), strict=True)
        return [self._joined(join, a, b, alone=alone) for a, b in pairs]

    @staticmethod
    def _joined(
        join: Callable[[float, float], float], left: float | None, right: float | None, *, alone: bool
    ) -> float | None:
        if (left is None and right is None) or (alone and (left is None or right is None)):
            return None
        try:
            return float(join(left or 0.0, right or 0.0))
        except (ZeroDivisionError, OverflowError):
            return None

    def _if(self, test: Value, yes: Value, no: Value | None = None) -> Series:
        tests, chosen = self._as_series(test), self._as_series(yes)
        others: Series = [None] * self._periods if no is None else self._as_series(no)
        rows = zip(tests, chosen, others, strict=True)
        return [None if met is None else (value or 0.0) if met else other for met, value, other in rows]

    def _fill(self, series: Series, filler: ast.expr) -> Series:
        if isinstance(filler, ast.Name) and filler.id in ("REPEAT", "LINEAR"):
            return _repeated(series) if filler.id == "REPEAT" else _interpolated(series)
        others = self._as_series(self.of(filler))
        return [other if value is None else value for value, other in zip(series, others, strict=True)]


def _repeated(series: Series) -> Series:
    """Each gap takes the value before it."""
    newest: float | None = None
    filled: Series = []
    for value in series:
        newest = newest if value is None else value
        filled.append(newest)
    return filled


def _interpolated(series: Series) -> Series:
    """Each gap lies on the line between the values around it."""
    known = [(number, value) for number, value in enumerate(series) if value is not None]
    filled = list(series)
    for (begin, first), (end, last) in pairwise(known):
        for number in range(begin + 1, end):
            filled[number] = first + (last - first) * (number - begin) / (end - begin)
    return filled
