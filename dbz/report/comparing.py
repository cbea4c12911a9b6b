"""The words that all reports use for a comparison."""

from __future__ import annotations

from collections.abc import Iterable

from dbz.measure.comparison import ERROR_STAT, Change
from dbz.runs.compared import ComparedFigure, Comparison

_ORDER = [Change.WORSE, Change.BETTER, Change.UNCLEAR, Change.SAME]


def headline(comparison: Comparison) -> str:
    """What came of it in one line: `2 operations became worse (5 runs against 5)`."""
    worse = len(comparison.worse)
    text = f"{worse} operation{'s' if worse > 1 else ''} became worse" if worse else "nothing became worse"
    count = len(comparison.new)
    return f"{text} ({count} run{'s' if count > 1 else ''} against {len(comparison.base)})"


def by_verdict(figures: Iterable[ComparedFigure]) -> list[ComparedFigure]:
    """Worse ones first, then better ones, then what is unclear, then what is the same."""
    return sorted(figures, key=lambda one: _ORDER.index(one.verdict))


def unit_of(one: ComparedFigure) -> str:
    """The unit of a figure."""
    return "%" if one.stat == ERROR_STAT else "ms"


def stat_text(one: ComparedFigure) -> str:
    """What a figure is called in a narrow column."""
    return "errors" if one.stat == ERROR_STAT else one.stat


def change_text(one: ComparedFigure) -> str:
    """The change with its sign, in per cent, for error rates in points."""
    return f"{one.change * 100:+.3g} {'pt' if one.stat == ERROR_STAT else '%'}"


def noise_text(one: ComparedFigure) -> str:
    """The smallest change that can be told from none, in per cent or points."""
    noise = one.noise * 100
    return f"±{noise:.2g}" if noise < 10 else f"±{noise:,.0f}"


def p_text(one: ComparedFigure) -> str:
    """The corrected p-value with two digits."""
    return "<0.0001" if one.p < 0.0001 else f"{one.p:.2g}"


def remarks(comparison: Comparison) -> list[str]:
    """What a reader should know of how the comparison was made."""
    texts = [f"Forced although {text}." for text in comparison.forced]
    texts += [f"Take care: {text}." for text in comparison.cautions]
    texts += [f"{text}." for text in comparison.missing]
    if comparison.assumed_noise is not None:
        texts.append(
            f"Single runs: differences below {comparison.assumed_noise * 100:g} % are taken for noise; "
            "compare folders of repeated runs to measure it."
        )
    return texts
