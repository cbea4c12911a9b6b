"""`dbz import --check`: a scenario is played by one user of each kind, and held against its recording."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dbz.cli.interrupts import Interrupts
from dbz.errors import ExitCode

if TYPE_CHECKING:
    from dbz.bring.fidelity import Fidelity
    from dbz.bring.steps import Script
    from dbz.load.rehearsal import RehearsalTerms, Told

_PATIENCE_S = 30.0
"""For each task, beyond the length of its recording."""
_MOST_TOLD = 30


def check_scenario(scenario: Path, script: Script, target: str, allowed: list[str]) -> None:
    """Play the scenario and print how it differs from the recording; exits with 1 when it does.

    Secrets that are not set are what they were in the recording.
    """
    from dbz.load.allowed_hosts import reach
    from dbz.load.plan import LoadRequest, plan_load
    from dbz.load.rehearsal import rehearse

    for name, value in script.secret_values.items():
        os.environ[name] = os.environ.get(name) or value
    plan = plan_load(LoadRequest(str(scenario), target, overrides={"workers": 1}, allowed_targets=allowed))
    reach(plan.target)
    terms = _terms(script)
    length_s = max(terms.starts_s.values(), default=0.0) + terms.task_s - _PATIENCE_S
    typer.echo(f"Checking against {plan.target}: about {max(length_s, 1):.0f} s …", err=True)
    with Interrupts("before the end of the check; nothing is left running").watch():
        told = list(rehearse(plan, lambda: False, terms))
    found = _compared(script, told)
    for line in _lines(found, told):
        typer.echo(line)
    if found.differences or any(line["what"] == "raised" for line in told):
        raise typer.Exit(ExitCode.BROKEN)


def _terms(script: Script) -> RehearsalTerms:
    """Pauses and starts as they were recorded: who was there when a message was sent decides who gets it."""
    from dbz.bring.project.material import session_s
    from dbz.bring.writing import class_names
    from dbz.load.rehearsal import RehearsalTerms

    if not script.recorded:
        return RehearsalTerms(exact_pauses=True)
    firsts = [flow.steps[0].at_s if flow.steps else 0.0 for flow in script.flows]
    starts = {name: first - min(firsts) for name, first in zip(class_names(script), firsts, strict=True)}
    return RehearsalTerms(session_s(script) + _PATIENCE_S, exact_pauses=True, starts_s=starts)


def _compared(script: Script, told: list[Told]) -> Fidelity:
    from dbz.bring.fidelity import Fidelity, compare, recorded_of, replayed_of
    from dbz.bring.writing import class_names

    found = Fidelity()
    for name, flow in zip(class_names(script), script.flows, strict=True):
        recorded = recorded_of(flow)
        if not script.recorded:  # each operation once, whatever order and paths there are
            recorded = list({one.name: one for one in reversed(recorded)}.values())
        compare(name, recorded, replayed_of(told, name), found, ordered=script.recorded)
    return found


def _lines(found: Fidelity, told: list[Told]) -> list[str]:
    raised = [f"{line['user']}.{line['task']} raised {line['error']}" for line in told if line["what"] == "raised"]
    counts = ", ".join(f"{what} {same} of {every}" for what, (same, every) in found.counts.items())
    differences = list(dict.fromkeys([*raised, *found.differences]))
    if not differences:
        return [f"as recorded: {counts}"]
    rest = len(differences) - _MOST_TOLD
    return [
        f"differs from the recording ({counts}):",
        *(f"  - {difference}" for difference in differences[:_MOST_TOLD]),
        *([f"  and {rest} differences more"] if rest > 0 else []),
    ]
