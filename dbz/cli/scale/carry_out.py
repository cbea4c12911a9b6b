"""Carrying a printed plan out after a yes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
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
    from dbz.scaling.change.applying import apply_plans, check_drift, refuse_late
    from dbz.scaling.exclusive.lock import LockRole
    from dbz.scaling.exclusive.roles import only_one

    plans = plan.everything()
    refuse_elsewhere(access, plan)
    if not as_json:
        print_plan(plan, access.aws.where)
    done: list[str] = []
    follow = following if following and following.needed else None
    what = f"dbz scale: {plan.goal}"
    with ExitStack() as locks:
        for one in plans:
            locks.enter_context(only_one(access.aws, access.plan.scaling, one.place, LockRole.CHANGE, what, say, wait))
            if one is not plan or resumed is None:
                refuse_unfinished(one.place)
        if any(one.steps for one in plans) or follow:
            confirm_by_name(plan.service, yes=yes)
            if follow:
                follow.ask(yes=yes)
            for one in plans if resumed is None else plans[1:]:
                refuse_late(one, datetime.now(UTC))
                check_drift(access.aws, one)
            with interruptible(timeout_s, "dbz scale apply --resume ID, or dbz scale rollback") as manner:
                done = apply_plans(access.aws, plans, manner, follow.run if follow else None, resumed)
    if as_json:
        back = _ways_back(done, plans)
        typer.echo(json.dumps(change_document(plan, done, "applied" if done else "nothing to do", back), indent=1))
    elif done:
        left = f" {len(plan.manual)} of its steps are yours, see above." if plan.manual else ""
        typer.echo(f"\nDone and steady.{left} The way back: {', '.join(_ways_back(done, plans))}")
    if follow and follow.failed:
        raise follow.failed


def _ways_back(changes: Sequence[str], plans: Sequence[ChangePlan]) -> list[str]:
    """The command that takes back each change that was made; the first one is of the service that the plan names."""
    rest = [
        f"dbz scale rollback {name} --service {one.service}" for name, one in zip(changes[1:], plans[1:], strict=True)
    ]
    return [f"dbz scale rollback {changes[0]}", *rest] if changes else []


def change_document(
    plan: ChangePlan, changes: Sequence[str], outcome: str, ways_back: Sequence[str] = ()
) -> dict[str, object]:
    """What became of a plan, schema `dbz.scale-change/1`; `also` are the changes of other services."""
    return {
        "schema": "dbz.scale-change/1",
        "id": changes[0] if changes else "",
        "also": list(changes[1:]),
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


def refuse_elsewhere(access: Access, plan: ChangePlan) -> None:
    """`UsageError` when a plan is for another service than the one that is meant, or for one of its name elsewhere."""
    from dbz.scaling.change.live import place_of

    if (plan.cluster, plan.service) != (access.cluster, access.service):
        raise UsageError(f"the plan is for {plan.place}, not for {access.service} in {access.cluster}", code="S010")
    here = place_of(access.handle)
    if plan.place != here:
        raise UsageError(f"the plan is for {plan.place}, not for {here}", hint="--region, --aws-profile", code="S010")


def refuse_unfinished(place: Place) -> None:
    """`UsageError` when an earlier change of the service is neither finished nor taken back."""
    from dbz.scaling.change.journal import unfinished

    for one in unfinished(place):
        raise UsageError(
            f"an earlier change of {place} was not finished: {one.id} ({one.plan.goal})",
            hint=f"dbz scale rollback {one.id}, or dbz scale apply --resume {one.id}",
            code="S011",
        )
