"""`dbz monitor silence`."""

from __future__ import annotations

import getpass
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.monitor.options import StateFile, store_at
from dbz.cli.options import AsJson, command_group, time_of
from dbz.errors import UsageError

if TYPE_CHECKING:
    from dbz.config.monitor.matching import AlertMatcher
    from dbz.monitor.rules.silences import Silence

_Many = list[str] | None


def add(
    for_: Annotated[str, typer.Option("--for", metavar="DURATION", help="For how long, like 2h.")],
    why: Annotated[str, typer.Option(metavar="TEXT", help="What is known of it; others read this.")],
    type_: Annotated[_Many, typer.Option("--type", metavar="TYPE", help="Of alerts, like SLOW_RESPONSE.")] = None,
    target: Annotated[_Many, typer.Option(metavar="NAME", help="Of the file.")] = None,
    severity: Annotated[_Many, typer.Option(metavar="info|warning|critical")] = None,
    label: Annotated[_Many, typer.Option(metavar="NAME=VALUE", help="A label of alerts, like team=chat.")] = None,
    in_: Annotated[str, typer.Option("--in", metavar="DURATION", help="Begin so much later [default: now].")] = "",
    state: StateFile = None,
    as_json: AsJson = False,
) -> None:
    """Tell nobody of some alerts for a while; the log has them all the same.

    \b
    The running monitor heeds it at its next round. What is still on when
    it ends is told then. Options of different kinds must all fit an alert,
    several of one kind are alternatives.

    \b
    Examples:
      dbz monitor silence add --target api --for 2h --why "moving to the new disk"
      dbz monitor silence add --type SLOW_RESPONSE --label team=chat --for 30m --why deploy
    """
    from dbz.monitor.store.silences import SilenceBook

    matcher = _matcher(type_, target, severity, label)
    now_s = time.time()
    from_s = now_s + (time_of("--in", in_) if in_ else 0.0)
    if not why.strip():
        raise UsageError("--why says nothing; whoever finds the silence must know its reason", code="E004")
    with store_at(state) as store:
        known = store.standings()
        silence = SilenceBook(store).add(matcher, from_s, from_s + time_of("--for", for_), why, _user())
    _tell(silence, f"{silence} ({matcher})", [f"dbz monitor silence remove {silence.id}"], as_json=as_json)
    for what, names, there in (
        ("target", matcher.target, {name for name, _ in known}),
        ("alert", matcher.type, {kind for _, kind in known}),
    ):
        for name in names:
            if name not in there:
                typer.echo(f"dbz: this monitor has followed no {what} '{name}' so far", err=True)


def show(
    state: StateFile = None,
    all_: Annotated[bool, typer.Option("--all", help="Those that have ended too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List silences: those in force, and those to come.

    \b
    Examples:
      dbz monitor silence list
    """
    from dbz.monitor.store.silences import SilenceBook
    from dbz.report.terminal.alerts.silences import silence_rows, silences_text

    now_s = time.time()
    with store_at(state) as store:
        silences = SilenceBook(store).since(0.0 if all_ else now_s)
    rows = silence_rows([one for one in silences if all_ or one.removed_s is None], now_s)
    typer.echo(json.dumps(rows, indent=2) if as_json else silences_text(rows))


def remove(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="As `silence list` has it.")],
    state: StateFile = None,
    as_json: AsJson = False,
) -> None:
    """End a silence now; what is still on is told at the next round.

    \b
    Examples:
      dbz monitor silence remove 3
    """
    from dbz.monitor.store.silences import SilenceBook

    with store_at(state) as store:
        now_s = time.time()
        removed = SilenceBook(store).remove(number, now_s)
    text = f"ended: {removed} ({removed.matcher})"
    _tell(replace(removed, removed_s=now_s), text, ["dbz monitor status"], as_json=as_json)


def _tell(silence: Silence, text: str, next_steps: list[str], *, as_json: bool) -> None:
    """What became of a silence: a line, or a document of schema `dbz.monitor-silence/1`."""
    from dbz.report.terminal.alerts.silences import silence_rows

    if as_json:
        (row,) = silence_rows([silence], time.time())
        steps = ["dbz monitor silence list", *next_steps]
        typer.echo(json.dumps({"schema": "dbz.monitor-silence/1", **row, "next_steps": steps}, indent=2))
    else:
        typer.echo(text)


def _matcher(type_: _Many, target: _Many, severity: _Many, label: _Many) -> AlertMatcher:
    from dbz.config.monitor.fields import SEVERITIES
    from dbz.config.monitor.matching import AlertMatcher

    labels: dict[str, list[str]] = {}
    for text in label or []:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--label: '{text}' is not a label; write for example team=chat", code="E002")
        labels.setdefault(name, []).append(value)
    given = {"type": type_ or [], "target": target or [], "severity": severity or [], "labels": labels}
    if not any(given.values()):
        raise UsageError("which alerts? give --type, --target, --severity or --label", code="E004")
    for text in severity or []:
        if text not in SEVERITIES:
            raise UsageError(f"--severity: '{text}' is not allowed (allowed: {', '.join(SEVERITIES)})", code="E002")
    return AlertMatcher.model_validate(given)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""  # a user without a name, as in some containers


silence = command_group("Tell nobody of some alerts for a while.", add=add, list=show, remove=remove)
