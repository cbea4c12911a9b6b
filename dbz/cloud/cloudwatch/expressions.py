"""The part of CloudWatch's metric math that scaling needs: numbers, comparisons, AND, OR, `+ - * /`, `IF(a, b, c)`."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

_BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Lt: operator.lt, ast.LtE: operator.le,
}  # fmt: skip


def evaluate(expression: str, values: Mapping[str, float]) -> float | None:
    """The value of an expression over metrics by their ids, true as 1; None for a division by zero.

    `ValueError` for anything outside the part that is known.
    """
    text = re.sub(r"\b(AND|OR|IF)\b", lambda match: {"IF": "IF"}.get(match[0], match[0].lower()), expression)
    try:
        return float(_value(ast.parse(text, mode="eval").body, values))
    except ZeroDivisionError:
        return None
    except (SyntaxError, KeyError) as error:
        raise ValueError(f"expression '{expression}' is not known here: {error}") from None


def _value(node: ast.expr, values: Mapping[str, float]) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.Name):
        return values[node.id]
    if isinstance(node, ast.BoolOp):
        found = [bool(_value(one, values)) for one in node.values]
        return float(all(found) if isinstance(node.op, ast.And) else any(found))
    if isinstance(node, ast.BinOp):
        return float(_BINARY[type(node.op)](_value(node.left, values), _value(node.right, values)))
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        return float(_BINARY[type(node.ops[0])](_value(node.left, values), _value(node.comparators[0], values)))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "IF" and len(node.args) == 3:
        test, yes, no = node.args
        return _value(yes if _value(test, values) else no, values)
    raise KeyError(ast.dump(node)[:40])
