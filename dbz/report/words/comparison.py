"""The words that all reports use for a comparison."""

from __future__ import annotations

from collections.abc import Iterable

from dbz.measure.compare.detection import MOST_RUNS
from dbz.measure.compare.differences import ERROR_STAT, Change
from dbz.measure.compare.terms import TAIL_NOISE
from dbz.runs.compare.document import ComparedFigure, Comparison
from dbz.units import format_rate

_NAMED = 5
"""So many operations are named where there are more."""
MANY = 5
"""So many runs a side show well what runs differ by."""
_ORDER = [Change.WORSE, Change.BETTER, Change.UNCLEAR, Change.SAME]


def comparison_headline(comparison: Comparison) -> str:
    """What came of it in one line: `2 operations became worse (5 runs against 5)`."""
    worse, suspects, gone = len(comparison.worse), len(comparison.suspects), len(comparison.vanished)
    text = f"{_operations(worse)} became worse" if worse else "nothing became worse"
    if not worse and comparison.blind:
        text = "could not tell whether anything became worse" if comparison.figures else "nothing could be compared"
    if suspects:
        text += f"{', ' if worse else ' for certain, but '}{_operations(suspects)} may have"
    elif comparison.untold and not worse and not comparison.blind:
        text += f" that could be told; {_operations(len(comparison.untold))} could not"
    if comparison.failing:
        text += f", {_operations(len(comparison.failing))} that the base has not failed"
    if gone:
        text += f", {_operations(gone)} vanished"
    count = len(comparison.new)
    return f"{text} ({count} run{'s' if count > 1 else ''} against {len(comparison.base)})"


def _operations(count: int) -> str:
    return f"{count} operation{'' if count == 1 else 's'}"


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


def detectable_text(one: ComparedFigure) -> str:
    """The smallest slowdown that would have been found, as `from 7.1 %`; empty where it is not known."""
    return "" if one.detectable is None else f"from {_percent(one.detectable)}"


def _percent(share: float) -> str:
    return f"{share * 100:.2g} %" if share < 0.1 else f"{share * 100:,.0f} %"


def p_text(one: ComparedFigure) -> str:
    """The corrected p-value with two digits."""
    return "<0.0001" if one.p < 0.0001 else f"{one.p:.2g}"


def comparison_remarks(comparison: Comparison) -> list[str]:
    """What a reader should know of how the comparison was made, and how much it could see."""
    texts = [f"Forced although {text}." for text in comparison.forced]
    texts += [f"Take care: {text}." for text in comparison.cautions]
    texts += [f"Take care: {text}, so a difference in latency may be the machine's." for text in comparison.doubts]
    if comparison.left_out:
        texts.append(f"Left out, because the machine was busy with something else: {', '.join(comparison.left_out)}.")
    texts += [f"{text[0].upper()}{text[1:]}." for text in comparison.missing]
    texts += [f"Take care: {text}." for text in comparison.damaged]
    texts += _counters(comparison)
    texts += _untold(comparison)
    if comparison.vanished and comparison.vanished_allowed:
        texts += [f"Accepted: {one.sentence}." for one in comparison.vanished]
    beside = [f"{one.kind} {one.operation} {one.stat}" for one in comparison.figures if one.shared]
    if beside:
        texts.append(f"Beside what all operations changed by together: {', '.join(beside)}.")
    if not comparison.figures:
        texts.append("No operation was measured often enough on both sides to be compared.")
    if comparison.assumed_noise is not None:
        noise = comparison.assumed_noise
        texts.append(
            f"A single run does not show how much runs differ: {_percent(noise)} is assumed for the median, "
            f"{_percent(TAIL_NOISE * noise)} for the tail. Five runs a side measure it (--repeat 5)."
        )
    return [*texts, *_sensitivity(comparison)]


def _counters(comparison: Comparison) -> list[str]:
    """What the scenario counted, in one sentence."""
    shown = [
        f"{one.name} {format_rate(one.new_per_s)}, before {format_rate(one.base_per_s)}"
        + ("" if one.change is None else f" ({one.change * 100:+.3g} %)")
        for one in comparison.counters[:_NAMED]
    ]
    more = len(comparison.counters) - _NAMED
    return [f"Counted: {'; '.join(shown)}{f'; and {more} more' if more > 0 else ''}."] if shown else []


def _untold(comparison: Comparison) -> list[str]:
    """What could not be told, and how it could be."""
    untold = comparison.untold
    if not untold:
        return []
    named = f"{', '.join(untold[:_NAMED])}{f' and {len(untold) - _NAMED} more' if len(untold) > _NAMED else ''}"
    text = (
        f"Could not tell of {named}: too few attempts, or so much noise that even twice the time would not have been "
        f"seen. {_runs_that_tell(comparison)}"
    )
    return [text]


def _runs_that_tell(comparison: Comparison) -> str:
    runs = comparison.sensitivity.runs if comparison.sensitivity else None
    if runs is not None:
        return f"{runs} runs a side would tell (--repeat {runs})."
    if min(len(comparison.base), len(comparison.new)) < MANY:
        return f"Make the runs longer, and {MANY} of them a side (--repeat {MANY})."
    return "Make the runs longer."


def _sensitivity(comparison: Comparison) -> list[str]:
    found = comparison.sensitivity
    if found is None:
        return []
    text = f"In nine of ten cases half of the operations show a slowdown of {_percent(found.typical)}"
    if found.worst > found.typical:
        text += f", the noisiest ({found.worst_operation}) one of {_percent(found.worst)}"
    if found.worst <= found.wanted:
        return [f"{text}."]
    wanted = f"{_percent(found.wanted)} in all of them"
    if found.runs is None:
        return [f"{text}. To find {wanted}, make the runs longer or the machine quieter."]
    return [f"{text}. {found.runs} runs a side would find {wanted}."]


def suspect_advice(comparison: Comparison) -> list[str]:
    """What to do about what looks worse and is not for certain."""
    suspects = comparison.suspects
    if not suspects:
        return []
    runs = comparison.sensitivity.runs if comparison.sensitivity else None
    known = min(len(comparison.base), len(comparison.new))
    more = max(runs or 0, 2 * known if known > 2 else 5)
    again = "repeat it on a quiet machine" if comparison.doubts else f"--repeat {min(more, MOST_RUNS)} would tell"
    return [f"{one.sentence}: {again}." for one in suspects]
