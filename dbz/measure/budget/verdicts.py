"""Verdicts: whether a budget holds, how sure that is, and what it means for the run.

A budget passes when all of the confidence interval is within its limit, and is broken when none of it is. In between,
or with too few samples, it is inconclusive, and the rule of the budgets file says what that means for the run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import cast

from dbz.measure.budget.budgets import Budget, Severity, Treatment
from dbz.measure.budget.limits import format_interval, format_value
from dbz.measure.budget.measured import Measured
from dbz.measure.budget.measuring import Measurements, measure
from dbz.measure.budget.metrics import Filter, Selector
from dbz.measure.confidence import normal_quantile
from dbz.measure.latency.tags import NETWORK, SERVICE_LABEL, values_of
from dbz.suggest import nearest
from dbz.units import format_duration, format_number

_SHOWN = 5
"""So many names are shown where none is near."""
_MISSPELT = 0.75
"""How alike a filter and a name must be for it to be misspelt, rather than about what a run has none of."""
Cut = Callable[[float, float | None], Sequence[Measurements]]
"""The judged part without its first so many seconds: as a whole (None), or in full stretches of so many seconds."""


class Outcome(StrEnum):
    """What became of one budget."""

    PASS = "pass"
    BROKEN = "broken"
    INCONCLUSIVE = "inconclusive"
    NOT_MEASURED = "not measured"


class Effect(StrEnum):
    """What a verdict means for the run."""

    NONE = "none"
    WARN = "warn"
    FAIL = "fail"
    INVALID = "invalid"


_EFFECTS = {Treatment.PASS: Effect.NONE, Treatment.FAIL: Effect.FAIL, Treatment.INVALID: Effect.INVALID}


@dataclass(frozen=True)
class Verdict:
    """A budget, what was measured of it (None when nothing was), what became of it, and a remark on how it was
    judged."""

    budget: Budget
    outcome: Outcome
    measured: Measured | None = None
    note: str = ""

    @property
    def value(self) -> float | None:
        """The measured value; None when there is none."""
        return self.measured.value if self.measured else None

    @property
    def samples(self) -> int:
        """How many samples it rests on."""
        return self.measured.samples if self.measured else 0

    @property
    def effect(self) -> Effect:
        """What it means for the run: the severity of the budget and the rule of its file decide."""
        effect = self._effect()
        return Effect.WARN if self.budget.severity is Severity.WARN and effect is not Effect.NONE else effect

    def _effect(self) -> Effect:
        rule = self.budget.rule
        if self.outcome is Outcome.PASS:
            return Effect.NONE
        if self.outcome is Outcome.BROKEN:
            return Effect.FAIL
        if self.outcome is Outcome.NOT_MEASURED:
            return Effect.FAIL if self.budget.required else _EFFECTS[rule.not_measured]
        if rule.inconclusive is Treatment.VALUE:
            return Effect.NONE if self.budget.limit.holds(cast(float, self.value)) else Effect.FAIL
        return _EFFECTS[rule.inconclusive]

    @property
    def decided(self) -> bool:
        """Whether there is a verdict: by what was measured, or because it was required and was not."""
        if self.outcome is Outcome.NOT_MEASURED:
            return self.breaks_run
        rule = self.budget.rule.inconclusive
        return self.outcome is not Outcome.INCONCLUSIVE or rule in (Treatment.VALUE, Treatment.FAIL)

    @property
    def breaks_run(self) -> bool:
        """Whether the run fails because of this budget."""
        return self.effect is Effect.FAIL

    @property
    def reason(self) -> str:
        """Why the run fails (or is invalid) because of this budget, in one sentence; empty when it does not."""
        return self.sentence if self.effect in (Effect.FAIL, Effect.INVALID) else ""

    @property
    def sentence(self) -> str:
        """What was found, in one sentence."""
        budget = self.budget
        if self.measured is None:
            because = f": {self.note}" if self.note else ""
            return f"{budget.name}: {'required, but ' if budget.required else ''}{budget.of} was not measured{because}"
        parts = [
            f"{budget.name}: {budget.stat} of {budget.of} {self._found()}, limit {budget.limit}{self._by_how_much()}"
        ]
        sure = self._how_sure()
        return ", ".join([*parts, *([sure] if sure else []), *([self.note] if self.note else [])])

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
        if not self.budget.limit.upper:
            return f" ({(1 - share) * 100:.3g} % short)" if share < 1 else ""
        if share >= 2:
            return f" ({format_number(share)} times the limit)"
        return f" ({(share - 1) * 100:.3g} % over)" if share > 1 else ""

    def _how_sure(self) -> str:
        measured = self.measured
        if measured is None or measured.low is None or math.isinf(measured.value):
            return ""
        interval = format_interval(measured.low, measured.high, self.budget.limit.unit)
        return f"{self.budget.rule.confidence * 100:g} % interval {interval}"


def judge(budgets: Sequence[Budget], found: Measurements, cut: Cut | None = None) -> list[Verdict]:
    """The verdict of each budget over the judged part of a run; without `cut`, windows are not looked at one by one.

    One of which only pages were measured, by budgets of their own, is left out.
    """
    verdicts = [_judge_one(budget, found, cut) for budget in budgets]
    by_page = {one.budget.part_of for one in verdicts if one.measured}
    return [one for one in verdicts if one.measured or one.budget.name not in by_page]


def anything_decided(verdicts: Sequence[Verdict]) -> bool:
    """Whether at least one budget was measured: without that a run is neither good nor bad."""
    return any(verdict.measured for verdict in verdicts)


def nothing_decided(verdicts: Sequence[Verdict]) -> str:
    """Why there is no verdict at all although there are budgets; empty when at least one of them was decided.

    Budgets of which none is about anything that was measured would otherwise let every run pass.
    """
    if not verdicts or any(verdict.decided for verdict in verdicts):
        return ""
    unsure = [verdict for verdict in verdicts if verdict.measured]
    what = "could be decided" if unsure else "is about anything that was measured"
    notes = [f"{verdict.budget.name}: {verdict.note}" for verdict in unsure or verdicts if verdict.note]
    because = f" ({'; '.join(notes[:_SHOWN])})" if notes else ""
    return f"nothing was judged: no budget {what}{because}"


def unmatched_filters(budgets: Sequence[Budget], found: Measurements) -> list[str]:
    """The budgets whose filters take nothing of what was measured, most likely misspelt; a sentence each."""
    texts = ((budget.name, unmatched(budget.of, found)) for budget in budgets)
    return [f"{name}: {text}" for name, text in texts if text]


def misspelt_filters(budgets: Sequence[Budget], found: Measurements) -> list[str]:
    """Those of them that come so near to what was measured that they can hardly be about something else."""
    return [
        f"{budget.name}: {unmatched(budget.of, found)}"
        for budget in budgets
        if unmatched(budget.of, found)
        and any(nearest(asked.glob, names, _MISSPELT) for asked, names in _asked(budget.of, found))
    ]


def unmatched(selector: Selector, found: Measurements) -> str:
    """Which part a selector asks for that was not measured, and the nearest one that was; empty when it takes one, or
    when nothing of its metric was measured."""
    for label in dict(selector.tags):
        values = values_of(label, found.tagged)
        if not values:
            return _NOBODY_SAYS[label]
        filters = [one for wanted, one in selector.tags if wanted == label]
        if not any(all(one.takes(value) for one in filters) for value in values):
            return _nothing_called(label, filters, values)
    names = found.seen_by(selector).names(selector.metric.name)
    if not names or not selector.filters or any(selector.matches(name) for name in names):
        return ""
    return _nothing_called(selector.metric.label, selector.filters, names)


_NOBODY_SAYS = {
    NETWORK: "the users of this load are on no networks that were named (network: in the profile, or --network)",
    SERVICE_LABEL: "no answer said which service gave it (service_header: in the profile, or --service-header, says "
    "which header does)",
}


def _asked(selector: Selector, found: Measurements) -> list[tuple[Filter, list[str]]]:
    """Each filter of a selector, and the names that it could have meant."""
    names = found.seen_by(selector).names(selector.metric.name)
    return [
        *((one, names) for one in selector.filters),
        *((one, values_of(label, found.tagged)) for label, one in selector.tags),
    ]


def _nothing_called(label: str, filters: Sequence[Filter], names: Sequence[str]) -> str:
    asked = next((one.glob for one in filters if not one.negated), "")
    near = nearest(asked, names)
    shown = f"{', '.join(names[:_SHOWN])}{', …' if len(names) > _SHOWN else ''}"
    hint = f"did you mean {near}?" if near else f"there is {shown}"
    return f"no {label} is called {asked or 'otherwise'}; {hint}"


def _judge_one(budget: Budget, found: Measurements, cut: Cut | None) -> Verdict:
    verdict = _judge_as_written(budget, found, cut)
    if verdict.outcome is not Outcome.NOT_MEASURED:
        return verdict
    for one in budget.instead:
        other = _judge_whole(replace(budget, of=one.of, stat=one.stat, windows=None, after_s=0.0), found)
        if other.outcome is not Outcome.NOT_MEASURED:
            return other
    return verdict


def _judge_as_written(budget: Budget, found: Measurements, cut: Cut | None) -> Verdict:
    if not budget.limit.known:
        return Verdict(budget, Outcome.NOT_MEASURED, note="no baseline was given to compare with")
    if cut is None or not (budget.windows or budget.after_s):
        return _judge_whole(budget, found)
    if budget.windows is None:
        (rest,) = cut(budget.after_s, None)
        return _judge_whole(budget, rest)
    return _judge_windows(budget, cut(budget.after_s, budget.windows.length_s), budget.windows.share)


def _judge_whole(budget: Budget, found: Measurements) -> Verdict:
    measured = measure(budget.of, budget.stat, found, budget.rule.confidence)
    if measured is None:
        why = unmatched(budget.of, found) or found.summaries.missing(budget.of, budget.stat)
        return Verdict(budget, Outcome.NOT_MEASURED, note=why)
    return decide(budget, measured)


def _judge_windows(budget: Budget, windows: Sequence[Measurements], share: float) -> Verdict:
    """The value is that of the window which decides: the worst one, or the worst after the tolerated ones."""
    found = [measure(budget.of, budget.stat, window, budget.rule.confidence) for window in windows]
    measured = [one for one in found if one is not None]
    if not measured:
        why = unmatched(budget.of, windows[0]) if windows else "no full window was measured"
        return Verdict(budget, Outcome.NOT_MEASURED, note=why)
    if budget.stat in ("rate", "count"):
        # Where others have some, a stretch of time without any has none: that is a measurement too.
        measured += [Measured(0.0, 0)] * (len(found) - len(measured))
    measured.sort(key=lambda one: one.value, reverse=not budget.limit.upper)
    # 95 % of 20 windows must be 19 of them; the floating product is a hair above it.
    deciding = measured[math.ceil(round(share * len(measured), 9)) - 1]
    broken = sum(not budget.limit.holds(one.value) for one in measured)
    length = format_duration(cast(float, budget.windows and budget.windows.length_s))
    verdict = decide(budget, deciding)
    held = f"broken in {broken} of {len(measured)} windows of {length}"
    return replace(verdict, note="; ".join(part for part in (verdict.note, held) if part))


def decide(budget: Budget, measured: Measured) -> Verdict:
    """The verdict on a measured value."""
    measured = _widened(measured, budget.baseline_spread, budget.rule.confidence)
    if measured.samples < budget.min_samples:
        note = f"{measured.samples:,} of at least {budget.min_samples:,} samples"
        return Verdict(budget, Outcome.INCONCLUSIVE, measured, note)
    limit = budget.limit
    ends = [measured.value if end is None else end for end in (measured.low, measured.high)]
    held = [limit.holds(end) for end in ends]
    if all(held):
        return Verdict(budget, Outcome.PASS, measured)
    if not any(held):
        return Verdict(budget, Outcome.BROKEN, measured)
    if measured.only_known:
        known = format_interval(measured.low, measured.high, limit.unit)
        return Verdict(budget, Outcome.NOT_MEASURED, note=f"only {known} is known, since {measured.only_known}")
    return Verdict(budget, Outcome.INCONCLUSIVE, measured, _why_inconclusive(measured))


def _why_inconclusive(measured: Measured) -> str:
    few = any(end is not None and math.isinf(end) for end in (measured.low, measured.high))
    return (
        "too few samples to be sure" if few and not math.isinf(measured.value) else "too close to the limit to be sure"
    )


def _widened(measured: Measured, spread: float, confidence: float) -> Measured:
    """The interval with the uncertainty of a baseline added, both as standard deviations of logarithms."""
    if not spread or measured.value <= 0 or math.isinf(measured.value):
        return measured
    z = normal_quantile(confidence)
    ends = [end for end in (measured.low, measured.high) if end is not None and end > 0 and not math.isinf(end)]
    own = max((abs(math.log(end / measured.value)) / z for end in ends), default=0.0)
    factor = math.exp(z * math.hypot(own, spread))
    high = measured.high if measured.high is not None and math.isinf(measured.high) else measured.value * factor
    return replace(measured, low=measured.value / factor, high=high)
