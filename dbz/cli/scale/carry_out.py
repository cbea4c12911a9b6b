"""Carrying a printed plan out after a yes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from dbz.cli.confirm import confirm_by_name
from dbz.cli.interrupts import Interrupts
from dbz.cli.scale.access import Access, say, wait
from dbz.errors import InterruptedRunError, UsageError

if TYPE_CHECKING:
    from dbz.cli.scale.afterwards import FollowUp
    from dbz.scaling.change.applying import Manner
    from dbz.scaling.change.journal import JournalEntry
    from dbz.scaling.change.state import Place
    from dbz.scaling.change.steps import ChangePlan


def carry_out(
    access: Access,
    plan: ChangePlan,
    *,
    yes: bool,
    timeout_s: float,
    following: FollowUp | None = None,
    resumed: JournalEntry | None = None,
    as_json: bool = False,
) -> None:
    """Print a plan, ask, do it if nothing has changed since it was made; a `resumed` one from where it was left.

    Then what is `following`; what that leaves undone is raised at the end.
    """
    from dbz.report.terminal.scale.words import print_plan
    from dbz.scaling.change.applying import apply_plan, check_drift, refuse_late
    from dbz.scaling.exclusive.lock import LockRole
    from dbz.scaling.exclusive.roles import only_one

    plans = plan.everything()
    refuse_elsewhere(access, plan, resumed)
    if not as_json:
        print_plan(plan, access.aws.where)
    done = ""
    follow = following if following and following.needed else None
    what = f"dbz scale: {plan.goal}"
    with ExitStack() as locks:
        for one in plans:
            locks.enter_context(only_one(access.aws, access.plan.scaling, one.place, LockRole.CHANGE, what, say, wait))
            refuse_unfinished(one.place, resumed)
        if any(one.steps for one in plans) or follow:
            confirm_by_name(plan.service, yes=yes)
            if follow:
                follow.ask(yes=yes)
            untouched = _untouched(plans, resumed)
            for one in untouched:
                refuse_late(one, datetime.now(UTC))
            check_drift(access.aws, untouched)
            with interruptible(timeout_s, "dbz scale apply --resume ID, or dbz scale rollback") as manner:
                done = apply_plan(access.aws, plan, manner, follow.run if follow else None, resumed)
    if as_json:
        back = [f"dbz scale rollback {done}"] if done else []
        typer.echo(json.dumps(change_document(plan, done, "applied" if done else "nothing to do", back), indent=1))
    elif done:
        left = f" {len(plan.manual)} of its steps are yours, see above." if plan.manual else ""
        typer.echo(f"\nDone and steady.{left} The way back: dbz scale rollback {done}")
    if follow and follow.failed:
        raise follow.failed


def _untouched(plans: Sequence[ChangePlan], resumed: JournalEntry | None) -> list[ChangePlan]:
    """The plans of services of which no step has begun: what is there must be what they were made for."""
    begun = {resumed.steps[number].plan.service for number in resumed.begun} if resumed else set()
    return [one for one in plans if one.service not in begun]


def change_document(plan: ChangePlan, change: str, outcome: str, ways_back: Sequence[str] = ()) -> dict[str, object]:
    """What became of a plan, schema `dbz.scale-change/2`: one change, whatever number of services it is about."""
    return {
        "schema": "dbz.scale-change/2",
        "id": change,
        "services": [one.service for one in plan.everything()],
        "outcome": outcome,
        "plan": plan.document(),
        "next_steps": ["dbz scale status", *ways_back],
    }


@contextmanager
def interruptible(timeout_s: float, hint: str) -> Iterator[Manner]:
    """How to go about a change that Ctrl-C may end between two calls; `hint` says what can be done then."""
    from dbz.scaling.change.applying import Manner

    with Interrupts("before anything was changed").watch() as interrupts:
        interrupts.defer()
        try:
            yield Manner(timeout_s, say, lambda: interrupts.requested)
        except KeyboardInterrupt:
            raise InterruptedRunError("interrupted; what was done stays", hint=hint) from None


def refuse_elsewhere(access: Access, plan: ChangePlan, resumed: JournalEntry | None) -> None:
    """`UsageError` when a plan is for another service than the one that is meant, or for one of its name elsewhere.

    A `resumed` change may be named by any of its services.
    """
    from dbz.scaling.change.live import place_of

    services = [one.service for one in (plan.everything() if resumed else [plan])]
    if plan.cluster != access.cluster or access.service not in services:
        raise UsageError(f"the plan is for {plan.place}, not for {access.service} in {access.cluster}", code="S010")
    here = replace(place_of(access.handle), service=plan.service)
    if plan.place != here:
        raise UsageError(f"the plan is for {plan.place}, not for {here}", hint="--region, --aws-profile", code="S010")


def refuse_unfinished(place: Place, resumed: JournalEntry | None) -> None:
    """`UsageError` when an earlier change of the service than the `resumed` one is neither finished nor taken back."""
    from dbz.scaling.change.journal import unfinished

    for one in unfinished(place):
        if resumed and one.id == resumed.id:
            continue
        raise UsageError(
            f"an earlier change of {place} was not finished: {one.id} ({one.plan.goal})",
            hint=f"dbz scale rollback {one.id}, or dbz scale apply --resume {one.id}",
            code="S011",
        )
