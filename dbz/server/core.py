"""What every service is given."""

from __future__ import annotations

from dataclasses import dataclass

from redis.asyncio import Redis

from dbz.cache import TwoLayerCache
from dbz.server.data.stores import ClubRouter
from dbz.server.observe.metrics import Figures
from dbz.server.observe.queries import Queries
from dbz.server.settings import Settings


@dataclass(frozen=True)
class Core:
    """Shared parts of one server process."""

    settings: Settings
    router: ClubRouter
    """The only way to a club's data."""
    redis: Redis
    cache: TwoLayerCache
    queries: Queries
    """Times every query by its name."""
    figures: Figures
    """What /metrics shows of this process."""
