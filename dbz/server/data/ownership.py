"""Whose each collection is, and a guard that notices when a service by itself touches one of another."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from dbz.server.observe.metrics import Figures

_EVERYBODYS = frozenset({"outbox", "sagas"})
"""Every service promises its own events there and carries out its own sagas; see `dbz.server.events`."""
_PROJECTIONS = {f"{name}_{slot}" for name in ("player_statistics", "club_rankings") for slot in "ab"}

OWNED = {
    "auth": frozenset({"users", "clubs", "sessions", "tokens"}),
    "content": frozenset({"posts", "comments", "read_marks"}),
    "game": frozenset({"games", "game_results", "projections", *_PROJECTIONS}),
    "chat": frozenset({"chat_rooms", "messages"}),
    "notification": frozenset(
        {
            "notifications",
            "notification_templates",
            "notification_preferences",
            "notification_schedules",
            "held_notifications",
            "sends",
            "devices",
        }
    ),
    "media": frozenset({"media"}),
    "band_sync": frozenset({"band_cache", "sync_logs"}),
    "gateway": frozenset[str](),
}
"""The collections of each process of services apart."""

_READS_OTHERS = {"$lookup": "from", "$graphLookup": "from", "$unionWith": "coll", "$merge": "into", "$out": "coll"}
_log = logging.getLogger(__name__)


class CollectionGuard(CommandListener):
    """Counts and logs commands on collections of others; the database driver tells it of each before it is sent.

    It does not stop them: the driver lets no listener do that. `dbz_foreign_collections` must stay without a line.
    """

    def __init__(self, service: str, database: str, figures: Figures) -> None:
        self._service = service
        self._database = database
        self._figures = figures
        self._owned = OWNED[service] | (_EVERYBODYS if OWNED[service] else frozenset())

    def started(self, event: CommandStartedEvent) -> None:
        """Look at a command."""
        if event.database_name != self._database:
            return
        for name in _collections(event.command_name, event.command):
            if name not in self._owned:
                labels = (self._service, name)
                if labels not in self._figures.foreign_collections.values:
                    _log.error("%s touches '%s', which is not its own", self._service, name)
                self._figures.foreign_collections.add(labels)

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Nothing is looked at then."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Nothing is looked at then."""


def _collections(name: str, command: Mapping[str, Any]) -> Iterator[str]:
    """The collections that a command names."""
    named = command.get("collection" if name == "getMore" else name)
    if isinstance(named, str):
        yield named
    for stage in command.get("pipeline", ()):
        for operator, where in stage.items():
            key = _READS_OTHERS.get(operator)
            target = where.get(key) if key and isinstance(where, Mapping) else where if key else None
            if isinstance(target, str):
                yield target
