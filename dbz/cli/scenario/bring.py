"""`dbz import`: a scenario out of a recording, a description of an API, a log, a collection, or curl commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.options import AllowTarget, duration_of
from dbz.errors import UsageError
from dbz.masking import USER_VARIABLE, masked_url, user_of
from dbz.units import format_duration

if TYPE_CHECKING:
    from dbz.bring.choosing import Choice
    from dbz.bring.steps import Script


def import_files(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE…", help="HAR, OpenAPI 3 or Swagger 2, access log, Postman collection, or curl commands."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The scenario to write.")] = Path(
        "scenario.py"
    ),
    target: Annotated[
        str, typer.Option(metavar="URL", help="The server that is meant, where the files name several or none.")
    ] = "",
    statics: Annotated[bool, typer.Option("--statics", help="Ask for pictures, scripts and styles as well.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Let one user play it, and compare with the recording; a file that is there stays."
        ),
    ] = False,
    replay: Annotated[
        bool, typer.Option("--replay", help="Of an access log: keep its times, and write a profile that plays it.")
    ] = False,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Of an access log: learn where visitors go and how long they pause, into this file."
        ),
    ] = None,
    session_timeout: Annotated[
        str, typer.Option(metavar="TIME", help="With --model: a visitor who is silent for so long has left.")
    ] = "30m",
    speed: Annotated[float, typer.Option(help="With --replay: how many times as fast.", min=0.001, max=1000)] = 1.0,
    allow_target: AllowTarget = None,
) -> None:
    """Write a scenario out of somebody else's material.

    Recorded sessions keep their order and pauses; tokens, ids and cursors are taken from the answers of the run. With
    the recordings of two users, messages from one to the other are measured until they are received. Secrets become
    environment variables.

    \b
    Examples:
      dbz import session.har -o scenario.py
      dbz import tab1.har tab2.har         two users of a chat, recorded side by side
      dbz import openapi.json --target http://127.0.0.1:8080
      dbz import access.log                each operation as often as the log has it
      dbz import access.log --replay --speed 2 -o monday.py     at its recorded times, in half of them
      dbz import access.log --model model.yaml -o visitors.py   visitors who do what those of the log did
      dbz import session.har --check       does the scenario do what was recorded?

    Exit codes: 0 good, 1 with --check it differs from the recording, 2 wrong usage, 3 with --check out of reach.
    """
    from dbz.bring.choosing import Choice
    from dbz.bring.files.opening import read_files
    from dbz.bring.script import script_of

    if model is not None:
        if replay or check:
            raise UsageError(f"--model and {'--replay' if replay else '--check'} are not for each other", code="E003")
        _write_model(files, model, out, Choice(target, statics), session_timeout, force=force)
        return
    if replay:
        if check:
            raise UsageError(
                "--replay and --check are not for each other", hint="dbz try plays the first line of a log", code="E003"
            )
        _write_replay(files, out, Choice(target, statics), speed, force=force)
        return
    kept = check and out.exists() and not force
    if out.exists() and not (force or kept):
        raise UsageError(
            f"{out} is there already", hint="choose another --out, or write over it with --force", code="E007"
        )
    script = script_of(read_files(files), Choice(target, statics))
    if not kept:
        write_scenario(script, files, out, target)
    if check:
        from dbz.cli.scenario.fidelity import check_scenario

        check_scenario(out, script, target or script.origin, allow_target or [])


def _write_replay(files: list[str], out: Path, choice: Choice, speed: float, *, force: bool) -> None:
    """Write the scenario, the profile and the arrivals of a log: all of them or none."""
    from dbz.bring.files.opening import read_files
    from dbz.bring.project.placing import place
    from dbz.bring.replay import replay_of

    names = ", ".join(Path(name).name for name in files)
    made = replay_of(read_files(files), choice, names, out.stem, speed)
    paths = {out: made.scenario, out.with_suffix(".yaml"): made.profile, out.with_suffix(".jsonl"): made.arrivals}
    place(paths, over=force)
    for note in made.notes:
        typer.echo(note, err=True)
    typer.echo(f"{', '.join(map(str, paths))}: {made.count:,} requests in {format_duration(made.length_s)}")
    if user_of(made.target):
        typer.echo(f"set first: {USER_VARIABLE}")
    typer.echo(f"next: dbz load {out.with_suffix('.yaml')}" + ("" if made.target else " --target URL"))


def _write_model(files: list[str], model: Path, out: Path, choice: Choice, timeout: str, *, force: bool) -> None:
    """Write the model of a log, its scenario and its profile: all of them or none."""
    from dbz.bring.learning.model import ModelFiles, learn_log
    from dbz.bring.project.placing import place, refuse_existing

    places = ModelFiles(model, out)
    if len({places.model, places.scenario, places.profile}) < len(("model", "scenario", "profile")):
        raise UsageError(f"{model} would be written twice: with -o {out} come {out} and {places.profile}", code="E003")
    if not force:
        refuse_existing([places.model, places.scenario, places.profile])
    timeout_s = duration_of("--session-timeout", timeout)
    if not timeout_s:
        raise UsageError(
            "--session-timeout: 0 s would make each request a visit of its own", hint="30m is usual", code="E002"
        )
    made = learn_log([Path(name) for name in files], choice, places, timeout_s)
    place({places.scenario: made.scenario, places.profile: made.profile, places.model: made.model}, over=force)
    for note in made.notes:
        typer.echo(note, err=True)
    typer.echo(f"{places.scenario}, {places.profile}, {places.model}")
    for line in made.about:
        typer.echo(line)
    if secrets := [*made.secrets, *([USER_VARIABLE] if user_of(made.target) else [])]:
        typer.echo(f"set first: {', '.join(secrets)}")
    typer.echo(f"next: dbz load {places.profile}" + ("" if made.target else " --target URL"))


def write_scenario(script: Script, files: list[str], out: Path, target: str) -> None:
    """Write the scenario, and tell of it."""
    from dbz.bring.writing.scenario import scenario_text

    names = ", ".join(Path(name).name for name in files)
    text = scenario_text(script, f"Made from {names} by dbz import.")
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror}", code="E006") from error
    for note in script.notes:
        typer.echo(note, err=True)
    for line in _summary(script, out, target):
        typer.echo(line)


def _summary(script: Script, out: Path, target: str) -> list[str]:
    """What was made, and what to do next."""
    from dbz.bring.steps import Emit, HttpStep

    steps = [step for flow in script.flows for step in (*flow.start, *flow.steps)]
    operations = {step.operation for step in steps if isinstance(step, HttpStep)}
    events = {step.event for step in steps if isinstance(step, Emit)}
    measured = {step.delivery.received_event for step in steps if isinstance(step, Emit) and step.delivery}
    kept = sum(len(step.keeps) for step in steps if isinstance(step, HttpStep | Emit))
    users = f"{len(script.flows)} users, " if len(script.flows) > 1 else ""
    lines = [f"{out}: {users}{len(operations)} operations, {len(events)} events, {kept} values taken from answers"]
    if measured:
        lines.append(f"measured from sender to receivers: {', '.join(sorted(measured))}")
    if script.secrets:
        lines.append(f"set first: {', '.join(script.secrets)}")
    host = target or script.origin
    where = f"--target {masked_url(host) or 'URL'} --users {len(script.flows)}"  # a message needs somebody who gets it
    lines.append(f"next: dbz load {out} {where} --duration 10s")
    return lines
