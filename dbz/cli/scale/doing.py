"""Carrying a printed plan out after a yes, and `dbz scale rollback` and `history`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.interrupts import Interrupts
from dbz.cli.scale.access import (
    Access,
    AsJson,
    AwsProfile,
    Cluster,
    Local,
    PhasesFile,
    Region,
    ServiceName,
    Timeout,
    Yes,
    duration,
    reach,
    say,
    wait,
)
from dbz.errors import DbzError, InterruptedRunError, UsageError

if TYPE_CHECKING:
    from dbz.scaling.change.applying import Manner
    from dbz.scaling.change.journal import JournalEntry
    from dbz.scaling.change.steps import ChangePlan


def carry_out(
    access: Access,
    plan: ChangePlan,
    *,
    yes: bool,
    timeout_s: float,
    verify: Callable[[], None] | None = None,
    resumed: JournalEntry | None = None,
    as_json: bool = False,
) -> None:
    """Print a plan, ask, do it if nothing has changed since it was made; a `resumed` one from where it was left."""
    from dbz.report.terminal.scale.words import print_plan
    from dbz.scaling.change.applying import apply_plan, check_drift, refuse_late
    from dbz.scaling.exclusive.lock import LockRole
    from dbz.scaling.exclusive.roles import only_one

    if (plan.cluster, plan.service) != (access.cluster, access.service):
        raise UsageError(f"the plan is for {plan.service} in {plan.cluster}, not {access.service} in {access.cluster}")
    if not as_json:
        print_plan(plan, access.aws.where)
    done = ""
    what = f"dbz scale: {plan.goal}"
    with only_one(access.aws, access.plan.scaling, plan.place, LockRole.CHANGE, what, say, wait):
        if resumed is None:
            refuse_unfinished(plan.cluster, plan.service)
        if plan.steps or verify:
            confirm(plan.service, yes=yes)
            if resumed is None:
                refuse_late(plan, datetime.now(UTC))
                check_drift(access.aws, plan)
            with _manner(timeout_s, "dbz scale apply --resume ID, or dbz scale rollback") as manner:
                done = apply_plan(access.aws, plan, manner, verify, resumed)
    if as_json:
        typer.echo(json.dumps(_result(plan, done, "applied" if done else "nothing to do"), indent=1))
    elif done:
        typer.echo(f"\nDone and steady. The way back: dbz scale rollback {done}")


def _result(plan: ChangePlan, change: str, outcome: str) -> dict[str, object]:
    return {"schema": "dbz.scale-change/1", "id": change, "outcome": outcome, "plan": plan.document()}


@contextmanager
def _manner(timeout_s: float, hint: str) -> Iterator[Manner]:
    from dbz.scaling.change.applying import Manner

    with Interrupts("before anything was changed").watch() as interrupts:
        interrupts.defer()
        try:
            yield Manner(timeout_s, say, lambda: interrupts.requested)
        except KeyboardInterrupt:
            raise InterruptedRunError("interrupted; what was done stays", hint=hint) from None


def confirm(service: str, *, yes: bool) -> None:
    """Ask for the service's name to be typed, unless `yes`; `UsageError` when nobody can be asked."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nothing was changed", hint="add --yes to do it")
    typed = typer.prompt(f"\nType the service's name ({service}) to do it", default="", show_default=False, err=True)
    if typed.strip() != service:
        raise UsageError("that is not its name: nothing was changed")


def refuse_unfinished(cluster: str, service: str) -> None:
    """`UsageError` when an earlier change of the service is neither finished nor taken back."""
    from dbz.scaling.change.journal import entries

    for one in entries():
        if one.open and (one.plan.cluster, one.plan.service) == (cluster, service):
            raise UsageError(
                f"an earlier change of {service} was not finished: {one.id} ({one.plan.goal})",
                hint=f"dbz scale rollback {one.id}, or dbz scale apply --resume {one.id}",
            )


def rollback(
    change: Annotated[str, typer.Argument(metavar="[ID]", help="A change, or the beginning of its id.")] = "",
    yes: Yes = False,
    timeout: Timeout = "15m",
    force: Annotated[bool, typer.Option("--force", help="Also overwrite what somebody else changed since.")] = False,
    phases: PhasesFile = "default",
    cluster: Cluster = "",
    service: ServiceName = "",
    aws_profile: AwsProfile = "",
    region: Region = "",
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Put back exactly what was there before a change, by its journal.

    \b
    Without an ID: the newest change that is not taken back. What somebody
    else has changed since is left alone, and named, unless --force.

    \b
    Examples:
      dbz scale rollback
      dbz scale rollback 20261125T140512 --yes
    """
    from dbz.report.terminal.scale.words import print_plan
    from dbz.scaling.change.journal import find_entry

    access = reach(phases, cluster, service, aws_profile, region, local=local)
    entry = find_entry(change, access.cluster, access.service)
    back = _way_back(entry)
    if not back.steps:
        raise UsageError(f"{entry.id} has nothing left to take back ({entry.outcome or 'not begun'})")
    if not as_json:
        print_plan(back, access.aws.where)
    confirm(back.service, yes=yes)
    _take_back(access, entry, timeout_s=duration("--timeout", timeout), force=force)
    if as_json:
        typer.echo(json.dumps(_result(back, entry.id, "rolled back"), indent=1))
    else:
        typer.echo("\nEverything is as it was before.")


def _way_back(entry: JournalEntry) -> ChangePlan:
    from dataclasses import replace

    from dbz.scaling.change.applying import way_back

    steps = tuple(entry.plan.steps[number].inverse() for number in way_back(entry.plan, entry.begun))
    return replace(entry.plan, goal=f"back from {entry.plan.goal}", steps=steps, manual=(), cost=None)


def _take_back(access: Access, entry: JournalEntry, *, timeout_s: float, force: bool) -> None:
    from dbz.scaling.change.applying import take_back
    from dbz.scaling.change.comparing import shown
    from dbz.scaling.change.journal import ChangeJournal
    from dbz.scaling.exclusive.lock import LockRole
    from dbz.scaling.exclusive.roles import only_one

    plan, journal, what = entry.plan, ChangeJournal(entry.path), f"dbz scale rollback {entry.id}"
    with (
        only_one(access.aws, access.plan.scaling, plan.place, LockRole.CHANGE, what, say, wait),
        _manner(timeout_s, f"dbz scale rollback {entry.id}") as manner,
    ):
        undone = take_back(access.aws, entry, manner, force=force)
        if undone.left:
            names = ", ".join(f"{step.kind.value} {step.resource} (now {shown(now)})" for step, now in undone.left)
            journal.end("rolled back", f"left alone: {names}")
            raise DbzError(f"left alone, because somebody else changed it: {names}", hint="see dbz scale status")
        journal.end("rolled back")


def history(
    phases: PhasesFile = "default", cluster: Cluster = "", service: ServiceName = "", as_json: AsJson = False
) -> None:
    """List the changes that were made from here, oldest first.

    \b
    Examples:
      dbz scale history
      dbz scale history --service web --json
    """
    from dbz.config.phases import load_phases
    from dbz.report.terminal.scale.words import outcome_text, print_history
    from dbz.scaling.change.journal import entries

    load_phases(phases)
    found = [one for one in entries() if (not cluster or one.plan.cluster == cluster)
             and (not service or one.plan.service == service)]  # fmt: skip
    if as_json:
        rows = [
            {"id": one.id, "at": one.at, "goal": one.plan.goal, "cluster": one.plan.cluster,
             "service": one.plan.service, "outcome": outcome_text(one), "why": one.why,
             "not_taken_back": len(one.begun), "steps": len(one.plan.steps)}
            for one in found
        ]  # fmt: skip
        typer.echo(json.dumps({"schema": "dbz.scale-history/1", "changes": rows}, indent=1))
    elif found:
        print_history(found)
    else:
        typer.echo("Nothing was changed from here yet.", err=True)
