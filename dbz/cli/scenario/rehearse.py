"""`dbz try`: one user does everything once, and every exchange is printed."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.interrupts import Interrupts
from dbz.cli.load.embedded import start_embedded
from dbz.cli.options import AllowTarget, AsJson, ExcludeTags, LoadTarget, Seed, Tags, tags_of
from dbz.errors import ExitCode

if TYPE_CHECKING:
    from dbz.load.planning.plan import LoadPlan


def try_scenario(
    subject: Annotated[str, typer.Argument(metavar="SCENARIO|PROFILE", help="A Locust file, a profile, or a URL.")],
    target: LoadTarget = "",
    allow_target: AllowTarget = None,
    full: Annotated[bool, typer.Option("--full", help="All headers, and bodies as a whole.")] = False,
    seed: Seed = None,
    tags: Tags = None,
    exclude_tags: ExcludeTags = None,
    as_json: AsJson = False,
) -> None:
    """Let one user of each class do each of its tasks once, and print every exchange.

    Requests and answers with their status, time and body, socket packets in both directions, and what a task raised,
    with its line. Secrets of the scenario are hidden, and so is what headers, URLs and bodies call a secret. Nothing
    is measured or judged.

    \b
    Examples:
      dbz try scenario.py --target http://127.0.0.1:8080
      dbz try profile.yaml --full
      dbz try chat                    a bundled profile, against a backend that dbz starts itself

    Exit codes: 0 nothing failed, 1 something did, 2 wrong usage, 3 out of reach.
    """
    from dbz.load.planning.plan import LoadRequest, plan_load
    from dbz.load.rehearsal import rehearse
    from dbz.report.words.rehearsal import RehearsalLines, without_secrets

    given = {"seed": seed, "tags": tags_of(tags), "exclude_tags": tags_of(exclude_tags)}
    overrides = {"workers": 1, **{key: value for key, value in given.items() if value is not None}}
    plan = plan_load(LoadRequest(subject, target, overrides=overrides, allowed_targets=allow_target or ()))
    lines = RehearsalLines(full=full)
    with Interrupts("before the end; nothing is left running").watch() as interrupts, ExitStack() as stack:
        ready = _with_target(plan, stack)
        interrupts.defer()
        for told in rehearse(ready, lambda: interrupts.requested):
            if as_json:
                typer.echo(json.dumps(without_secrets(told), ensure_ascii=False))
                list(lines.lines(told))  # counts what failed
                continue
            for line in lines.lines(told):
                typer.echo(line)
    if not as_json:
        typer.echo("")
        for line in lines.summary():
            typer.echo(line)
    raise typer.Exit(ExitCode.BROKEN if lines.failures else ExitCode.OK)


def _with_target(plan: LoadPlan, stack: ExitStack) -> LoadPlan:
    """The plan with the embedded stack's address where it asks for that one."""
    from dataclasses import replace

    if not plan.embedded:
        return plan
    folder = Path(stack.enter_context(TemporaryDirectory(prefix="dbz-try-stack-")))
    return replace(plan, target=stack.enter_context(start_embedded(plan.profile, folder)).url)
