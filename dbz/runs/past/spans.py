"""How coarse the older part of a record may become: spans of time that no statistic of the whole run looks into."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dbz.measure.budget.budgets import Budget

LEVELS_S = (1, 10, 20, 60, 120, 240, 480, 960)
"""How long spans may be; each is a multiple of the one before, so that spans can be put together again."""
_FEWEST_SPANS = 100
"""A span is no longer than this part of the judged part, so charts of any run have so many points."""
MAX_BLOCKS = 60
"""Into how many stretches of time a window is cut at most, to see how much the samples belong together."""


def span_length_s(judged_s: float, lengths_s: Iterable[float] = ()) -> int:
    """The longest span when so much of the judged part is over; all of `lengths_s` are multiples of it."""
    lengths = list(lengths_s)
    fitting = (
        level
        for level in LEVELS_S
        if level <= judged_s / _FEWEST_SPANS and all(_is_multiple(length, level) for length in lengths)
    )
    return max(fitting, default=1)


def block_length_s(seconds: float) -> int:
    """How long the blocks of a window are: of whole spans, whatever spans were put together while it lasted."""
    span_s = span_length_s(seconds)
    return max(1, math.ceil(seconds / MAX_BLOCKS / span_s) * span_s)


def _is_multiple(length_s: float, level: int) -> bool:
    return abs(length_s / level - round(length_s / level)) < 1e-9


@dataclass(frozen=True)
class SpanTerms:
    """What spans of a run must not hide."""

    lengths_s: tuple[float, ...] = ()
    """Lengths that whole spans must make up: budgets look at stretches of the run that are so long."""
    after_s: float = 0.0
    """How much of the judged part a budget may leave out at its beginning."""
    cuts_s: tuple[float, ...] = ()
    """Moments of the judged part, since its beginning, that no span may reach over: something else is asked then."""

    def length_s(self, judged_s: float) -> int:
        """How long spans are when so much of the judged part is over."""
        return span_length_s(judged_s - self.after_s, self.lengths_s)


def span_terms(budgets: Iterable[Budget], stages_s: Sequence[float] = ()) -> SpanTerms:
    """The terms of budgets and of stages that take so long each.

    A budget with windows has an interval for each of them, from blocks within it.
    """
    lengths: set[float] = set()
    after_s = 0.0
    for budget in budgets:
        after_s = max(after_s, budget.after_s)
        if budget.windows:
            lengths |= {budget.windows.length_s, float(block_length_s(budget.windows.length_s))}
        if budget.after_s:
            lengths.add(budget.after_s)
    cuts, moment_s = [], 0.0
    for stage_s in stages_s[:-1]:
        moment_s += stage_s
        cuts.append(moment_s)
    return SpanTerms(tuple(sorted(lengths)), after_s, tuple(cuts))


@dataclass(frozen=True)
class Spans:
    """The spans of a run: counted from the beginning of its judged part, which none of them reaches over."""

    origin_s: float
    length_s: int
    cuts_s: tuple[float, ...] = ()

    def of(self, middle_s: float) -> tuple[int, int]:
        """Which span a moment of the run lies in: equal for those of one span."""
        judged_s = middle_s - self.origin_s
        return math.floor(judged_s / self.length_s), bisect_right(self.cuts_s, judged_s)

    def end_s(self, middle_s: float) -> float:
        """When the span of a moment ends, in seconds since the start of the run."""
        return self.origin_s + (self.of(middle_s)[0] + 1) * self.length_s
