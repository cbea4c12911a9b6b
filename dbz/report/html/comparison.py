"""The comparison with a baseline as a part of the HTML page."""

from __future__ import annotations

from html import escape

from dbz.measure.budget.limits import format_value
from dbz.report.html.sections import Cell, Row, number_cell, section, table, text_cell
from dbz.report.words.comparison import (
    by_verdict,
    change_text,
    comparison_headline,
    comparison_remarks,
    detectable_text,
    p_text,
    unit_of,
)
from dbz.runs.compare.document import ComparedFigure
from dbz.runs.schema import Run

_HEAD = ["Operation", "Figure", "Base", "New", "Change", "", "95 % interval", "Finds", "p", "Verdict"]
_CLASSES = {"worse": "broken", "better": "pass", "unclear": "unsure", "same": "missing"}
_BAR = 80
_FULL = 0.5
"""The change that fills half of a bar."""


def comparison(run: Run) -> str:
    """What became of each figure since the baseline; empty without one."""
    if run.comparison is None:
        return ""
    rows: list[Row] = [(_CLASSES[one.verdict], _cells(one)) for one in by_verdict(run.comparison.figures)]
    notes = "".join(f"<li>{escape(text)}</li>" for text in comparison_remarks(run.comparison))
    says = escape(comparison_headline(run.comparison))
    body = f"<p>{says[0].upper()}{says[1:]}.</p>" + table(_HEAD, rows, text_columns=(0, 1, 5, 9))
    return section("comparison", "Against the baseline", body + (f"<ul>{notes}</ul>" if notes else ""))


def _cells(one: ComparedFigure) -> list[Cell]:
    unit = unit_of(one)
    return [
        text_cell(f"{one.kind} {one.operation}"),
        text_cell(one.stat),
        number_cell(format_value(one.base, unit), one.base),
        number_cell(format_value(one.new, unit), one.new),
        (escape(change_text(one)), one.change),
        (_bar(one), one.change),
        (f"{one.low * 100:+.3g} to {one.high * 100:+.3g}", one.low),
        (escape(detectable_text(one)), -1 if one.detectable is None else one.detectable),
        (escape(p_text(one)), one.p),
        (f'<span class="mark">{one.verdict.value}</span>', one.verdict.value),
    ]


def _bar(one: ComparedFigure) -> str:
    """The change to the left or right of the middle, its interval as a line."""

    def place(share: float) -> float:
        return _BAR / 2 * (1 + max(-1.0, min(1.0, share / _FULL)))

    left, right = sorted((place(0.0), place(one.change)))
    return (
        f'<svg class="delta {one.verdict.value}" width="{_BAR}" height="10" aria-hidden="true">'
        f'<rect x="{left:.1f}" y="2" width="{max(right - left, 1):.1f}" height="6"/>'
        f'<line x1="{place(one.low):.1f}" x2="{place(one.high):.1f}" y1="5" y2="5"/>'
        f'<line x1="{_BAR / 2}" x2="{_BAR / 2}" y1="0" y2="10"/></svg>'
    )
