"""What a notification about an event says, in the languages that members choose from."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from string import Template
from typing import Any

from dbz.server.core import Core

Words = Mapping[str, tuple[str, str]]
"""Title and body by kind of event."""

# An entry of the collection `notification_templates` takes the place of one of these: `KIND` that of the English one,
# and `KIND:LANGUAGE` that of any other.
DEFAULTS: dict[str, Words] = {
    "en": {
        "post.commented": ("New comment on $post_title", "$author_name: $content"),
        "game.starting": ("$game_title starts soon", "It starts at $starts_at."),
        "game.eve": ("$game_title is tomorrow", "It starts at $starts_at."),
        "game.cancelled": ("$game_title does not take place", "It was called off."),
        "game.result_withdrawn": ("The score of $game_title does not count", "The game goes on."),
        "member.joined": ("Welcome to $club_name", "Good to have you here, $member_name."),
        "game.finished": ("Final score of $game_title", "$home : $away"),
    },
    "ko": {
        "post.commented": ("$post_title에 새 댓글", "$author_name: $content"),
        "game.starting": ("곧 시작합니다: $game_title", "$starts_at에 시작합니다."),
        "game.eve": ("내일 경기: $game_title", "$starts_at에 시작합니다."),
        "game.cancelled": ("경기 취소: $game_title", "경기가 취소되었습니다."),
        "game.result_withdrawn": ("결과 무효: $game_title", "경기가 계속됩니다."),
        "member.joined": ("$club_name에 오신 것을 환영합니다", "$member_name님, 반갑습니다."),
        "game.finished": ("최종 점수: $game_title", "$home : $away"),
    },
    "de": {
        "post.commented": ("Neuer Kommentar zu $post_title", "$author_name: $content"),
        "game.starting": ("$game_title beginnt bald", "Beginn ist um $starts_at."),
        "game.eve": ("$game_title ist morgen", "Beginn ist um $starts_at."),
        "game.cancelled": ("$game_title fällt aus", "Das Spiel wurde abgesagt."),
        "game.result_withdrawn": ("Der Stand von $game_title zählt nicht", "Das Spiel geht weiter."),
        "member.joined": ("Willkommen bei $club_name", "Schön, dass du da bist, $member_name."),
        "game.finished": ("Endstand von $game_title", "$home : $away"),
    },
}
_ENGLISH = "en"
_DIGESTS = {"en": "$count notifications", "ko": "알림 $count개", "de": "$count Mitteilungen"}
_MOST_TITLES = 8
_log = logging.getLogger(__name__)


class Templates:
    """Owner of the collection `notification_templates`."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def render(self, kind: str, data: dict[str, Any], language: str = _ENGLISH) -> tuple[str, str]:
        """Title and body for an event; KeyError when nothing is known about its kind."""
        ttl_s = self._core.settings.cache.posts_ttl_s
        stored = await self._core.cache.get("templates:all", self._load, ttl_s)
        title, body = _chosen(stored, kind, language)
        return Template(title).safe_substitute(data), Template(body).safe_substitute(data)

    async def _load(self) -> dict[str, Any]:
        with self._core.queries.timed("templates.all"):
            rows = await self._core.router.directory["notification_templates"].find().limit(1000).to_list()
        whole = [row for row in rows if all(isinstance(row.get(key), str) for key in ("_id", "title", "body"))]
        if len(whole) < len(rows):
            _log.warning("notification_templates has entries without _id, title and body as texts; they do not count")
        return {row["_id"]: [row["title"], row["body"]] for row in whole}


def digest(titles: list[str], language: str) -> tuple[str, str]:
    """Title and body of one notification in place of several, whose titles are in their order."""
    title = Template(_DIGESTS[language]).substitute(count=len(titles))
    more = ["…"] if len(titles) > _MOST_TITLES else []
    return title, "\n".join([*more, *titles[-_MOST_TITLES:]])


def _chosen(stored: Mapping[str, Any], kind: str, language: str) -> tuple[str, str]:
    own = stored.get(f"{kind}:{language}")
    if own is None and language != _ENGLISH:
        own = DEFAULTS[language].get(kind)
    title, body = own or stored.get(kind) or DEFAULTS[_ENGLISH][kind]
    return title, body
