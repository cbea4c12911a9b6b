"""Which processes the server consists of, as a person writes it: `apart`, or `chat=2,game`."""

from __future__ import annotations

from dbz.errors import UsageError
from dbz.server.settings import Settings
from dbz.suggest import did_you_mean

SERVICES = ("auth", "notification", "content", "game", "chat", "media")
GATEWAY = "gateway"
APART = "apart"
MOST_INSTANCES = 16


def instances_of(text: str) -> dict[str, int]:
    """How many processes each service and the gateway get: one, where the text does not say otherwise.

    `UsageError` for what is no plan.
    """
    plan = dict.fromkeys((*SERVICES, GATEWAY), 1)
    allowed = f"allowed: {APART}, or some of {', '.join(plan)}, each with =N for several processes"
    if text == APART:
        return plan
    named: set[str] = set()
    for part in text.split(","):
        name, equals, number = (piece.strip() for piece in part.partition("="))
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


def check_apart(settings: Settings) -> None:
    """`UsageError` for a plan that is none, and for what one process only can do."""
    instances_of(settings.mesh.services)
    if settings.http.faults:
        raise UsageError("faults are those of one process: leave out --services, or --faults", code="E003")
    if settings.http.processes > 1:
        raise UsageError("--processes does not go with --services", hint="--services gateway=2,game=2", code="E003")
    if settings.band.url:
        raise UsageError(
            "Band is linked and synchronised by a server in one piece: leave out --services, or BAND_URL", code="E003"
        )
    if settings.http.group:
        raise UsageError("a server with services apart shares its port with no other: leave out --group", code="E003")
