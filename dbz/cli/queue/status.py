"""`dbz queue status`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.options import AsJson, time_of
from dbz.cli.queue.place import QueuePlace, ask_queue
from dbz.errors import ExitCode

if TYPE_CHECKING:
    from dbz.server.events.admin import QueueAdmin, QueueStatus


def status(
    place: QueuePlace,
    letters: Annotated[int, typer.Option(min=0, max=10_000, help="Dead letters to show, at most.")] = 20,
    max_dead: Annotated[int | None, typer.Option(min=0, help="Exit 1 when there are more dead letters.")] = None,
    max_age: Annotated[str, typer.Option(metavar="TIME", help="Exit 1 when a job is older, like 30s.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show what waits, for how long, who works, and what was given up.

    \b
    Without an option it looks at the running `dbz serve`.

    \b
    Examples:
      dbz queue status
      dbz queue status --max-dead 0 --max-age 1m     for CI
      dbz queue status --queue-url https://sqs.eu-west-1.amazonaws.com/1/jobs

    \b
    Exit codes: 0 shown, 1 a limit is broken, 2 wrong usage, 3 the queue
    cannot be reached.
    """
    limit_s = time_of("--max-age", max_age) if max_age else None

    async def look(queue: QueueAdmin) -> QueueStatus:
        return await queue.status(letters)

    found = ask_queue(place, look)
    from dbz.report.words.queue import broken_limits, status_document

    broken = broken_limits(found, max_dead, limit_s)
    if as_json:
        typer.echo(json.dumps(status_document(found, broken), indent=2))
    else:
        from dbz.report.terminal.queue import print_status

        print_status(found, broken)
    raise typer.Exit(ExitCode.BROKEN if broken else ExitCode.OK)
