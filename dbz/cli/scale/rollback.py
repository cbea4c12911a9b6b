"""`dbz scale rollback`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.confirm import confirm_by_name
from dbz.cli.options import AsJson, AwsOptions, Yes, duration_of
from dbz.cli.scale.access import Access, Timeout, reach, say, wait
from dbz.cli.scale.carry_out import change_document, interruptible
from dbz.errors import UsageError, VerificationError

if TYPE_CHECKING:
    from dbz.scaling.change.journal import JournalEntry
    from dbz.scaling.change.order import PlannedStep
    from dbz.scaling.change.steps import ChangePlan


def rollback(
    change: Annotated[str, typer.Argument(metavar="[ID]", help="A change, or the beginning of its id.")] = "",
    yes: Yes = False,
    timeout: Timeout = "15m",
    force: Annotated[bool, typer.Option("--force", help="Also overwrite what somebody else changed since.")] = False,
    *,
    aws: AwsOptions,
    as_json: AsJson = False,
) -> None:
    """Put back exactly what was there before a change, by its journal.

    \b
    Without an ID: the newest change that is not taken back. A change of
    several services is taken back whole. What somebody else has changed
    since is left alone, and named, unless --force.

    \b
    Examples:
      dbz scale rollback
      dbz scale rollback 20261125T140512 --yes
    """
    from dbz.report.terminal.scale.words import print_plan
    from dbz.scaling.change.journal import find_entry
    from dbz.scaling.change.live import place_of

    access = reach(aws)
    entry = find_entry(change, place_of(access.handle))
    if not entry.begun:
        raise UsageError(f"{entry.id} has nothing left to take back ({entry.outcome or 'not begun'})", code="S012")
    back = _way_back(access, entry, force=force)
    if not as_json:
        print_plan(back, access.aws.where, nothing=": all of it was changed by somebody else")
    confirm_by_name(back.service, yes=yes)
    _take_back(access, entry, timeout_s=duration_of("--timeout", timeout), force=force)
    if as_json:
        typer.echo(json.dumps(change_document(back, entry.id, "rolled back"), indent=1))
    else:
        typer.echo("\nEverything is as it was before.")


def _way_back(access: Access, entry: JournalEntry, *, force: bool) -> ChangePlan:
    """The way back as a plan: from what is there now, with what would be left alone, or overwritten, as notes."""
    from dbz.scaling.change.order import way_back

    whole = entry.plan
    numbers = way_back(entry.steps, entry.begun)

    def back(plan: ChangePlan) -> ChangePlan:
        return _back_of(access, plan, [one for one in map(entry.steps.__getitem__, numbers) if one.plan is plan], force)

    also = tuple(back(one) for one in whole.everything()[1:])
    return replace(back(whole), goal=f"back from {whole.goal}", also=also)


def _back_of(access: Access, plan: ChangePlan, planned: Sequence[PlannedStep], force: bool) -> ChangePlan:
    """The way back of one service."""
    from dbz.scaling.change.applying import look_back

    seen = look_back(access.aws, plan, planned, force=force)
    steps = seen.back + tuple(replace(one.step, before=one.now) for one in seen.left if force)
    fate = "overwritten (--force)" if force else "left alone (--force overwrites it)"
    notes = tuple(f"{one}: {fate}" for one in seen.left)
    return replace(plan, steps=steps, manual=(), present=(), cost=None, notes=notes, also=())


def _take_back(access: Access, entry: JournalEntry, *, timeout_s: float, force: bool) -> None:
    from dbz.scaling.change.applying import take_back
    from dbz.scaling.change.journal import ChangeJournal
    from dbz.scaling.exclusive.lock import LockRole
    from dbz.scaling.exclusive.roles import only_one

    journal, what = ChangeJournal(entry.path), f"dbz scale rollback {entry.id}"
    with ExitStack() as stack:
        for place in entry.places:
            stack.enter_context(only_one(access.aws, access.plan.scaling, place, LockRole.CHANGE, what, say, wait))
        manner = stack.enter_context(interruptible(timeout_s, f"dbz scale rollback {entry.id}"))
        undone = take_back(access.aws, entry, manner, force=force)
        if undone.left:
            names = "; ".join(map(str, undone.left))
            journal.end("rolled back", f"left alone: {names}")
            raise VerificationError(
                f"left alone, because of somebody else's changes: {names}",
                hint=f"dbz scale rollback {entry.id} --force overwrites it",
                code="S013",
            )
        journal.end("rolled back")
