"""The sagas of the reference server."""

from __future__ import annotations

from dbz.errors import UsageError
from dbz.server.sagas.definition import SagaDefinition, SagaStep, StepRetry
from dbz.suggest import did_you_mean

GAME_RESULT = SagaDefinition(
    "game_result",
    "A final score closes its game, is recorded, counts for its players, and is told to them.",
    "game",
    (
        SagaStep("close", undo="reopen"),
        SagaStep("record", undo="withdraw"),
        SagaStep("statistics"),
        SagaStep("notify", may_fail=True),
    ),
)
SIGN_UP = SagaDefinition(
    "sign_up",
    "A new account is linked to Band, if there is one, becomes a member of a club, and is welcomed.",
    "auth",
    (
        SagaStep("account", undo="remove_account"),
        SagaStep("band_link", undo="unlink_band", retry=StepRetry(max_attempts=3), timeout_s=15.0, may_fail=True),
        SagaStep("club", undo="leave_club"),
        SagaStep("welcome", may_fail=True),
    ),
)
CATALOGUE = {definition.name: definition for definition in (SIGN_UP, GAME_RESULT)}


def saga_named(name: str) -> SagaDefinition:
    """The saga; `UsageError` names the nearest one when there is none."""
    if name not in CATALOGUE:
        known = ", ".join(CATALOGUE)
        raise UsageError(f"unknown saga '{name}'{did_you_mean(name, CATALOGUE)} (known: {known})", code="E011")
    return CATALOGUE[name]
