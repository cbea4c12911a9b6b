"""`dbz import --check`: a scenario is played by one user of each kind, and held against its recording."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dbz.cli.interrupts import Interrupts
from dbz.errors import ExitCode
from dbz.masking import masked_url

if TYPE_CHECKING:
    from dbz.bring.fidelity import Fidelity, Passed
    from dbz.bring.steps import Script
    from dbz.load.rehearsal import RehearsalTerms, Told

_PATIENCE_S = 30.0
"""For each task, beyond what its recording takes."""
_SHORT_S, _LONGEST_S = 12.0, 500.0
_SLOWEST = 4.0
"""How many times as slow as recorded a scenario is played at most, to last so long."""
_MOST_TOLD = 30


def check_scenario(scenario: Path, script: Script, target: str, allowed: list[str]) -> None:
    """Play the scenario and print how it differs from the recording; exits with 1 when it does.

    Secrets that are not set are what they were in the recording.
    """
    from dbz.load.planning.plan import LoadRequest, plan_load
    from dbz.load.rehearsal import rehearse
    from dbz.load.target.allowed_hosts import reach

    for name, value in script.secret_values.items():
        os.environ[name] = os.environ.get(name) or value
    plan = plan_load(LoadRequest(str(scenario), target, overrides={"workers": 1}, allowed_targets=allowed))
    reach(plan.target)
    terms = _terms(script)
    length_s = max((times[-1] for times in terms.times_s.values() if times), default=1.0)
    typer.echo(f"Checking against {masked_url(plan.target)}: about {length_s:.0f} s …", err=True)
    with Interrupts("before the end of the check; nothing is left running").watch():
        told = list(rehearse(plan, lambda: False, terms))
    found = _compared(script, told)
    for line in _lines(found, told):
        typer.echo(line)
    if found.differences or any(line["what"] == "raised" for line in told):
        raise typer.Exit(ExitCode.BROKEN)


def _terms(script: Script) -> RehearsalTerms:
    """Times as they were recorded: who was there when a message was sent decides who gets it.

    What was recorded within seconds is played slower, so that a busy machine does not change the order of what two
    users do; what took very long is played quicker.
    """
    from dbz.bring.writing.scenario import class_names
    from dbz.load.rehearsal import RehearsalTerms

    times = {
        name: [step.at_s for step in flow.steps] for name, flow in zip(class_names(script), script.flows, strict=True)
    }
    every = [at_s for listed in times.values() for at_s in listed]
    if not script.recorded or not every:
        return RehearsalTerms()
    first_s, length_s = min(every), max(max(every) - min(every), 0.001)
    factor = min(min(max(_SHORT_S / length_s, 1.0), _SLOWEST), _LONGEST_S / length_s)
    planned = {name: [(at_s - first_s) * factor for at_s in listed] for name, listed in times.items()}
    return RehearsalTerms(length_s * factor + _PATIENCE_S, planned)


def _compared(script: Script, told: list[Told]) -> Fidelity:
    from dbz.bring.fidelity import Fidelity, compare, recorded_of, replayed_of
    from dbz.bring.writing.scenario import class_names

    found = Fidelity()
    for name, flow in zip(class_names(script), script.flows, strict=True):
        recorded, replayed = recorded_of(flow), replayed_of(told, name)
        if not script.recorded:  # each operation once, whatever order and paths there are
            recorded, replayed = _each_once(recorded), _each_once(replayed)
        compare(name, recorded, replayed, found, ordered=script.recorded)
    return found


def _each_once(passed: list[Passed]) -> list[Passed]:
    return list({one.name: one for one in reversed(passed)}.values())


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
