"""Sagas under way, in the document store: how far each is, and who works on it until when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pymongo import ASCENDING, IndexModel

from dbz.server.core import Core
from dbz.server.data.due import DueRows
from dbz.server.sagas.definition import SagaData
from dbz.server.seams import Indexes
from dbz.server.values.clock import utc_now

_KEPT_S = 7 * 86_400
_SECRETS = ("password_hash", "band_code")

INDEXES = (
    Indexes(
        "sagas",
        (
            IndexModel([("due_at", ASCENDING)], sparse=True),
            IndexModel([("club_id", ASCENDING)]),
            IndexModel([("ended_at", ASCENDING)], expireAfterSeconds=_KEPT_S),
        ),
    ),
)


@dataclass
class SagaState:
    """A saga that this process works on."""

    id: str
    saga: str
    """The name of its definition."""
    club_id: str
    data: SagaData
    step: int = 0
    """Index of the step in hand."""
    undoing: bool = False
    """Whether steps are being taken back, from `step` to the first."""
    attempts: int = 0
    """Failed tries of the step in hand."""
    reason: str = ""
    """Why it is taken back, or failed last."""


class SagaStore:
    """Owner of the collection `sagas`. Only the holder of a saga writes to it: whoever lost one changes nothing."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._due = DueRows(core, "sagas")
        self._holder = self._due.holder

    async def add(self, state: SagaState, lease_s: float) -> None:
        """Store a new saga, held by this process."""
        row = {**_row(state), "_id": state.id, "saga": state.saga, "club_id": state.club_id, "data": state.data}
        row |= {"holder": self._holder, "due_at": _from_now(lease_s), "created_at": utc_now()}
        with self._core.queries.timed("sagas.add"):
            await self._rows(state.club_id).insert_one(row)

    async def save(self, state: SagaState, lease_s: float, added: SagaData | None = None) -> bool:
        """Store how far it is, and hold it for longer; False when another process has taken it."""
        answers = {f"data.{key}": value for key, value in (added or {}).items()}
        changes = {**_row(state), "due_at": _from_now(lease_s), **answers}
        return await self._change(state, {"$set": changes})

    async def let_go(self, state: SagaState, pause_s: float) -> None:
        """Leave it to whoever comes first after `pause_s`."""
        await self._change(state, {"$set": {**_row(state), "due_at": _from_now(pause_s), "holder": ""}})

    async def remove(self, state: SagaState) -> None:
        """It is done, or never began."""
        with self._core.queries.timed("sagas.remove"):
            await self._rows(state.club_id).delete_one({"_id": state.id, "holder": self._holder})

    async def taken_back(self, state: SagaState) -> None:
        """Keep it for a while as one that was taken back, without what was secret in it."""
        changes = {**_row(state), "ended_at": utc_now()}
        gone = {"due_at": "", "holder": "", **{f"data.{name}": "" for name in _SECRETS}}
        await self._change(state, {"$set": changes, "$unset": gone})

    async def take_due(self, names: Sequence[str], lease_s: float) -> list[SagaState]:
        """Take over sagas of these names that nobody works on, or whose holder was not heard of for too long."""
        return [_state(row) for row in await self._due.take(lease_s, {"saga": {"$in": [*names]}})]

    async def _change(self, state: SagaState, change: dict[str, Any]) -> bool:
        with self._core.queries.timed("sagas.change"):
            changed = await self._rows(state.club_id).update_one({"_id": state.id, "holder": self._holder}, change)
        return bool(changed.matched_count)

    def _rows(self, club_id: str) -> Any:
        return self._core.router.club(club_id)["sagas"]


def _row(state: SagaState) -> dict[str, Any]:
    return {"step": state.step, "undoing": state.undoing, "attempts": state.attempts, "reason": state.reason}


def _state(row: dict[str, Any]) -> SagaState:
    progress = (row["step"], row["undoing"], row["attempts"], row["reason"])
    return SagaState(row["_id"], row["saga"], row["club_id"], row["data"], *progress)


def _from_now(seconds: float) -> Any:
    return utc_now() + timedelta(seconds=seconds)
