"""A load with all care of its app, and one without each of some: what that saves the server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from dbz.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from dbz.load.planning.plan import LoadPlan
    from dbz.runs.schema import CareFigures, Run
    from dbz.runs.storage.folder import RunFolder

CarryOut = Callable[["LoadPlan", int, int, Sequence["CareFigures"]], tuple["Run", "RunFolder"]]
"""Carries out a plan as one of so many runs; the last one gets the figures of those before it."""


def carry_out_each(plan: LoadPlan, carry_out: CarryOut) -> ExitCode:
    """Carry a plan out without each thing that it names, then with all care; the exit code is that of the last run.

    What breaks without care is what care is for: it decides nothing. `UsageError` when the plan names nothing.
    """
    from dbz.config.load.profile import override
    from dbz.report import short_verdict
    from dbz.runs.care import care_figures
    from dbz.runs.conclude import EXIT_CODES
    from dbz.runs.storage.reading import read_record

    cares = plan.profile.without
    if not cares:
        raise UsageError("--each needs --without, which names what is left out in turn", code="E003")
    figures: list[CareFigures] = []
    for number, care in enumerate([*cares, ""], start=1):
        this = replace(plan, profile=override(plan.profile, {"without": [care] if care else []}))
        run, folder = carry_out(this, number, len(cares) + 1, figures)
        code = EXIT_CODES[run.verdict]
        if not care or code is ExitCode.INTERRUPTED:
            break
        figures.append(care_figures(run, read_record(folder)))
        typer.echo(f"without {care}: {short_verdict(run)}", err=True)
    return code
