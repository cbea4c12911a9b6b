"""When a user does its steps: once at its start, after each connect, or again and again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dbz.bring.steps import Connect, Emit, HttpStep, Step
from dbz.bring.values import code

_LOGIN = re.compile(r"/(log-?in|sign-?in|sessions?|authenticate|auth|oauth/token)$")
_CREDENTIAL = re.compile(r"token|session|csrf|jwt")


@dataclass(frozen=True)
class Parts:
    """The steps of a user by when they are done."""

    start: Sequence[Step]
    """Once, in `on_start`."""
    joins: Sequence[Emit]
    """After each connect: what enters rooms, where nothing else lies between connecting and that."""
    again: Sequence[Emit]
    """After each reconnect: what enters rooms, where the first time is in `on_start`, after what it needs."""
    task: Sequence[Step]
    """Again and again."""


def parts_of(steps: Sequence[Step]) -> Parts:
    """What is done once, up to the login, the connection and the rooms, and what is done again and again."""
    once = 0
    for number, step in enumerate(steps):
        if isinstance(step, Connect) or (isinstance(step, HttpStep) and _is_login(step)):
            once = number + 1
    rest = steps[once:]
    first_message = next((i for i, step in enumerate(rest) if isinstance(step, Emit) and step.delivery), len(rest))
    joining = [i for i in range(first_message) if _joins(rest[i])]
    length = joining[-1] + 1 if joining else 0
    leading = [step for step in rest[:length] if isinstance(step, Emit) and step.joins]
    if len(leading) == length and once and isinstance(steps[once - 1], Connect):
        start, joins, again = steps[:once], different(leading), []
    else:
        start, joins, again = steps[: once + length], [], different(leading)
    task = rest[length:]
    if not task and start and not length:
        start, task = start[:-1], start[-1:]
    return Parts(start, joins, again, task)


def different(joins: Sequence[Emit]) -> list[Emit]:
    """The joins without repetitions."""
    return list({(emit.event, code(emit.arguments)): emit for emit in joins}.values())


def _joins(step: Step) -> bool:
    return isinstance(step, Emit) and step.joins is not None


def _is_login(call: HttpStep) -> bool:
    return any(_CREDENTIAL.search(keep.attribute) for keep in call.keeps) or bool(_LOGIN.search(call.name))
