"""What a run that has just been measured is held against: its comparison, and limits relative to the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from dbz.measure.budget.budgets import Treatment
from dbz.measure.budget.measuring import Measurements
from dbz.measure.budget.relative import judge_together, judged_together
from dbz.measure.budget.verdicts import Outcome, Verdict
from dbz.measure.compare.terms import ComparisonTerms
from dbz.runs.compare.document import Comparison
from dbz.runs.compare.findings import compare_sides
from dbz.runs.compare.sides import Side, busier, quiet
from dbz.runs.schema import Run
from dbz.runs.storage.folder import RunFolder


@dataclass(frozen=True)
class Baseline:
    """What a run is compared with, and on which terms."""

    side: Side
    terms: ComparisonTerms
    forced: tuple[str, ...] = ()
    """Why they should not be compared, where that was overruled."""
    earlier: tuple[RunFolder, ...] = ()
    """Runs of the same code as the one that is compared; together they make its side."""

    def compare(self, run: Run, found: Measurements) -> Comparison:
        """The comparison with a run that has just been measured."""
        return compare_sides(self.side, self._new(run, found), self.terms, self.forced)

    def judge(self, verdicts: Sequence[Verdict], run: Run, found: Measurements) -> list[Verdict]:
        """The verdicts on a run that has just been measured: limits relative to the baseline are judged over all runs,
        and not broken by a machine that was busier than for the baseline."""
        base, new = quiet(self.side, self.terms), quiet(self._new(run, found), self.terms)
        excuse = busier(new.runs, base.runs, self.terms.busy)
        return [one if one.budget.limit.allowance is None else _relative(one, base, new, excuse) for one in verdicts]

    def _new(self, run: Run, found: Measurements) -> Side:
        new = self._earlier.of(range(len(self._earlier.runs)))
        new.add(run, found)
        return new

    @cached_property
    def _earlier(self) -> Side:
        return Side(self.earlier)


def _relative(one: Verdict, base: Side, new: Side, excuse: str) -> Verdict:
    """A verdict on a limit relative to the baseline, over all new runs where they can be judged together."""
    if judged_together(one.budget):
        one = judge_together(one.budget, base.found, new.found) or one
    if not excuse or one.outcome is not Outcome.BROKEN or one.budget.limit.unit != "ms":
        return one
    rule = replace(one.budget.rule, inconclusive=Treatment.PASS)
    note = "; ".join(part for part in (one.note, f"the machine was busy: {excuse}") if part)
    return replace(one, outcome=Outcome.INCONCLUSIVE, budget=replace(one.budget, rule=rule), note=note)
