"""What a notification about an event says."""

from __future__ import annotations

from string import Template
from typing import Any

from dbz.server.core import Core

# An entry of the collection `notification_templates` with the same id takes the place of one of these.
DEFAULTS = {
    "post.commented": ("New comment on $post_title", "$author_name: $content"),
    "game.starting": ("$game_title starts soon", "It starts at $starts_at."),
    "game.cancelled": ("$game_title does not take place", "It was called off."),
    "game.result_withdrawn": ("The score of $game_title does not count", "The game goes on."),
    "member.joined": ("Welcome to $club_name", "Good to have you here, $member_name."),
    "game.finished": ("Final score of $game_title", "$home : $away"),
}


class Templates:
    """Owner of the collection `notification_templates`."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def render(self, kind: str, data: dict[str, Any]) -> tuple[str, str]:
        """Title and body for an event; KeyError when nothing is known about its kind."""
        ttl_s = self._core.settings.cache.posts_ttl_s
        stored = await self._core.cache.get("templates:all", self._load, ttl_s)
        title, body = stored.get(kind) or DEFAULTS[kind]
        return Template(title).safe_substitute(data), Template(body).safe_substitute(data)

    async def _load(self) -> dict[str, Any]:
        with self._core.queries.timed("templates.all"):
            rows = await self._core.router.directory["notification_templates"].find().limit(1000).to_list()
        return {row["_id"]: [row["title"], row["body"]] for row in rows}
