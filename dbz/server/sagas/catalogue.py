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
_PATIENCE_S = 300.0  # a bit of a list with all the pauses that Band may ask for
_SOON = StepRetry(max_attempts=4, first_s=0.2, longest_s=0.4)  # before the shortest lease of a club runs out
BAND_SYNC = SagaDefinition(
    "band_sync",
    "A club's members and photos are taken over from Band, page by page, and the log of runs says how it ended.",
    "band_sync",
    (
        SagaStep("lease", undo="drop_lease", retry=_SOON),
        SagaStep("begin", undo="fail", retry=_SOON, timeout_s=15.0),
        SagaStep("members", retry=_SOON, timeout_s=_PATIENCE_S, repeats=True),
        SagaStep("photos", retry=_SOON, timeout_s=_PATIENCE_S, repeats=True),
        SagaStep("sweep", timeout_s=60.0, retry=_SOON),
        SagaStep("club", retry=_SOON, timeout_s=_PATIENCE_S, repeats=True),
        SagaStep("finish", retry=_SOON),
        SagaStep("release", may_fail=True, retry=_SOON),
    ),
    progress_in="sync_logs",
)
CATALOGUE = {definition.name: definition for definition in (SIGN_UP, GAME_RESULT, BAND_SYNC)}


def saga_named(name: str) -> SagaDefinition:
    """The saga; `UsageError` names the nearest one when there is none."""
    if name not in CATALOGUE:
        known = ", ".join(CATALOGUE)
        raise UsageError(f"unknown saga '{name}'{did_you_mean(name, CATALOGUE)} (known: {known})", code="E011")
    return CATALOGUE[name]
