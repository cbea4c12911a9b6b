"""The services of the app as the reference server has them, and which processes of them a person asks for: `apart`, or
`chat=2,game`."""

from __future__ import annotations

import os

from dbz.errors import UsageError
from dbz.suggest import did_you_mean

SERVICES = ("auth", "notification", "content", "game", "chat", "media")
BAND_SYNC = "band_sync"
"""A service that there is only with Band (BAND_URL)."""
GATEWAY = "gateway"
APART = "apart"
MOST_INSTANCES = 16


def has_band() -> bool:
    """Whether servers that are started from here have a Band to synchronise with."""
    return bool(os.environ.get("BAND_URL"))


def instances_of(text: str, *, band: bool) -> dict[str, int]:
    """How many processes each service and the gateway get: one, where the text does not say otherwise.

    `band` is whether there is a Band to synchronise with. `UsageError` for what is no plan.
    """
    plan = dict.fromkeys((*SERVICES, *((BAND_SYNC,) if band else ()), GATEWAY), 1)
    allowed = f"allowed: {APART}, or some of {', '.join(plan)}, each with =N for several processes"
    if text == APART:
        return plan
    named: set[str] = set()
    for part in text.split(","):
        name, equals, number = (piece.strip() for piece in part.partition("="))
        if name == BAND_SYNC and not band:
            raise UsageError(
                f"services: {name} synchronises with Band, and there is none",
                hint="set BAND_URL and the other variables of docs/band.md",
                code="E010",
            )
        if name not in plan:
            raise UsageError(
                f"services: '{name}' is no service{did_you_mean(name, (*plan, APART))}", hint=allowed, code="E011"
            )
        if name in named:
            raise UsageError(f"services: {name} is named twice", hint=allowed, code="E002")
        named.add(name)
        if equals:
            if not number.isdecimal() or not 1 <= int(number) <= MOST_INSTANCES:
                raise UsageError(
                    f"services: {name}={number} must be a number from 1 to {MOST_INSTANCES}", hint=allowed, code="E002"
                )
            plan[name] = int(number)
    return plan
