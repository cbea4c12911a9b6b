"""`dbz queue retry` and `dbz queue drop`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.confirm import confirm
from dbz.cli.options import AsJson, Yes
from dbz.cli.queue.place import QueuePlace, ask_queue
from dbz.errors import UsageError
from dbz.suggest import did_you_mean
from dbz.units import counted

if TYPE_CHECKING:
    from dbz.server.events.admin import DeadLetter

Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ID]...", help="Dead letters, by their own id or that of their job."),
]
EveryLetter = Annotated[bool, typer.Option("--all", help="All dead letters.")]


def retry(
    place: QueuePlace, ids: Ids = None, every: EveryLetter = False, yes: Yes = False, as_json: AsJson = False
) -> None:
    """Hand dead letters in again, with all their attempts.

    \b
    Do it when the reason is gone. A job that is done already does nothing.

    \b
    Examples:
      dbz queue retry 1764485313417-0
      dbz queue retry --all --yes

    \b
    Exit codes: 0 done, 2 wrong usage or no such letter, 3 the queue cannot
    be reached, 130 declined.
    """
    found = _chosen(place, ids or [], every=every)
    if found:
        confirm(_question("Hand in again", found), yes=yes, so_far="no job was handed in")
    done = ask_queue(place, lambda queue: queue.again(found)) if found else []
    _say("retry", "handed in again", done, as_json=as_json)


def drop(
    place: QueuePlace, ids: Ids = None, every: EveryLetter = False, yes: Yes = False, as_json: AsJson = False
) -> None:
    """Remove dead letters for good.

    \b
    Examples:
      dbz queue drop 1764485313417-0
      dbz queue drop --all --yes

    \b
    Exit codes: 0 done, 2 wrong usage or no such letter, 3 the queue cannot
    be reached, 130 declined.
    """
    found = _chosen(place, ids or [], every=every)
    if found:
        confirm(_question("Remove for good", found), yes=yes, so_far="nothing was removed")
    done = ask_queue(place, lambda queue: queue.drop(found)) if found else []
    _say("drop", "removed", done, as_json=as_json)


def _chosen(place: QueuePlace, ids: Sequence[str], *, every: bool) -> list[DeadLetter]:
    if bool(ids) == every:
        raise UsageError(
            "which dead letters?", hint="give the ID of each, as `dbz queue status` shows it, or --all", code="E004"
        )
    letters = ask_queue(place, lambda queue: queue.letters())
    if every:
        return letters
    known = {letter.id for letter in letters} | {letter.job_id for letter in letters if letter.job_id}
    for name in ids:
        if name not in known:
            suggestion = did_you_mean(name, sorted(known))
            raise UsageError(
                f"there is no dead letter '{name}'{suggestion}", hint="dbz queue status lists them", code="E011"
            )
    return [letter for letter in letters if letter.id in ids or letter.job_id in ids]


def _question(what: str, letters: Sequence[DeadLetter]) -> str:
    kinds = sorted({letter.what for letter in letters})
    return f"{what} {counted(len(letters), 'job')} ({', '.join(kinds[:5])}{', …' if kinds[5:] else ''})?"


def _say(action: str, done_text: str, done: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        steps = ["dbz queue status"] if done else []
        document = {"schema": "dbz.queue-change/1", "action": action, "letters": list(done), "next_steps": steps}
        typer.echo(json.dumps(document, indent=2))
        return
    typer.echo(f"{counted(len(done), 'job')} {done_text}." if done else "There are no dead letters.")
