"""Several runs of one load, one after the other, so that the noise between runs is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from dbz.errors import ExitCode

if TYPE_CHECKING:
    from dbz.load.planning.plan import LoadPlan
    from dbz.measure.budget.budgets import Budget
    from dbz.runs.schema import Run
    from dbz.runs.storage.folder import RunFolder

_WORST_FIRST = (ExitCode.INTERRUPTED, ExitCode.BROKEN, ExitCode.INVALID, ExitCode.OK)


def carry_out_repeatedly(
    plan: LoadPlan, count: int, carry_out: Callable[[LoadPlan, int], tuple[Run, RunFolder]]
) -> ExitCode:
    """Carry out a plan `count` times and return the worst exit code; an interrupt ends it.

    The last run is compared with the baseline, together with those before it, and limits relative to the baseline are
    judged over all of them: `carry_out` gets the plan and the number of the run, from 1. Runs that are not valid are
    left out of the comparison.
    """
    codes: list[ExitCode] = []
    earlier: list[RunFolder] = []
    for number in range(1, count + 1):
        last = number == count
        if plan.baseline and last:
            this = replace(plan, baseline=replace(plan.baseline, earlier=tuple(earlier)))
        else:
            this = replace(plan, baseline=None, budgets=plan.budgets if last else _judged_alone(plan.budgets))
        run, folder = carry_out(this, number)
        # Not before: an embedded stack is started sooner.
        from dbz.report import short_verdict
        from dbz.runs.compare.comparable import untrusted
        from dbz.runs.conclude import EXIT_CODES

        codes.append(EXIT_CODES[run.verdict])
        if not untrusted(run):
            earlier.append(folder)
        if not last:
            typer.echo(f"run {number} of {count}: {short_verdict(run)}", err=True)
        if codes[-1] is ExitCode.INTERRUPTED:
            break
    return min(codes, key=_WORST_FIRST.index)


def _judged_alone(budgets: Sequence[Budget]) -> list[Budget]:
    from dbz.measure.budget.relative import judged_together

    return [budget for budget in budgets if not judged_together(budget)]
