"""Sessions in the document store: made at login, renewed by refresh, ended by logout."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import datetime, timedelta
from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from dbz.server.auth.revocation import Revocations
from dbz.server.auth.tokens import Tokens, unauthorized
from dbz.server.core import Core
from dbz.server.values.clock import utc_now
from dbz.server.values.ids import new_id

_log = logging.getLogger(__name__)
_CHANNEL = "auth:revoked"
_OVERLAP = timedelta(seconds=10)  # clocks of several machines, and writes that were under way at the last poll


class Sessions:
    """Owner of the collection `sessions`."""

    def __init__(self, core: Core, tokens: Tokens, revocations: Revocations) -> None:
        self._core = core
        self._tokens = tokens
        self._revocations = revocations

    async def open(self, user: dict[str, Any]) -> dict[str, Any]:
        """Start a session for `user`; returns the answer of a login."""
        now = utc_now()
        session = {
            "_id": new_id(),
            "user_id": user["_id"],
            "refresh_id": new_id(),
            "created_at": now,
            "expires_at": now + timedelta(seconds=self._tokens.refresh_ttl_s),
            "revoked_at": None,
        }
        with self._core.queries.timed("sessions.open"):
            await self._collection.insert_one(session)
        return self._grant(user, session)

    async def renew(self, claims: dict[str, Any], find_user: Any) -> dict[str, Any]:
        """Exchange a refresh token for new tokens. One that was used before ends the session: it was stolen."""
        fresh = new_id()
        usable = {"_id": claims["sid"], "refresh_id": claims.get("jti"), "revoked_at": None}
        with self._core.queries.timed("sessions.renew"):
            session = await self._collection.find_one_and_update(
                usable, {"$set": {"refresh_id": fresh}}, return_document=ReturnDocument.AFTER
            )
        if session is None:
            await self.end(claims["sid"])
            raise unauthorized("the refresh token was used before, or its session ended; log in again")
        user = await find_user(session["user_id"])
        if user is None:
            raise unauthorized("the user no longer exists")
        return self._grant(user, session)

    async def end(self, session_id: str) -> None:
        """End one session in every process."""
        with self._core.queries.timed("sessions.end"):
            await self._collection.update_one(
                {"_id": session_id, "revoked_at": None}, {"$set": {"revoked_at": utc_now()}}
            )
        await self._revocations.add(session_id)
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            await self._core.redis.publish(_CHANNEL, session_id)

    async def end_all(self, user_id: str) -> int:
        """End every session of a user; returns how many there were."""
        with self._core.queries.timed("sessions.of_user"):
            query = {"user_id": user_id, "revoked_at": None}
            ids = [row["_id"] async for row in self._collection.find(query, {"_id": 1})]
        for session_id in ids:
            await self.end(session_id)
        return len(ids)

    async def listen(self) -> None:
        """Learn at once what other processes end; `poll` is the net under this."""
        while True:
            try:
                async with self._core.redis.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(_CHANNEL)
                    while True:
                        message = await channel.get_message(timeout=60.0)
                        if message is not None:
                            await self._revocations.add(message["data"].decode())
            except (RedisError, OSError, TimeoutError):
                await asyncio.sleep(1.0)

    async def poll(self) -> None:
        """Read what was ended lately from the document store, again and again."""
        since = utc_now() - timedelta(seconds=self._tokens.access_ttl_s)
        while True:
            try:
                ids, since = await self.ended_since(since)
                for session_id in ids:
                    await self._revocations.add(session_id)
            except (PyMongoError, OSError, TimeoutError) as error:
                _log.warning("ended sessions could not be read: %s", error)
            await asyncio.sleep(self._core.settings.auth.revocation_poll_s)

    async def ended_since(self, since: datetime) -> tuple[list[str], datetime]:
        """The sessions that were ended after `since`, and the time to ask from next."""
        started = utc_now()
        with self._core.queries.timed("sessions.ended"):
            rows = await self._collection.find({"revoked_at": {"$gt": since}}, {"_id": 1}).to_list()
        return [row["_id"] for row in rows], started - _OVERLAP

    def _grant(self, user: dict[str, Any], session: dict[str, Any]) -> dict[str, Any]:
        user_id, sid = user["_id"], session["_id"]
        return {
            "access_token": self._tokens.access(user_id, user["club_id"], user["role"], sid),
            "refresh_token": self._tokens.refresh(user_id, sid, session["refresh_id"]),
            "expires_in": self._tokens.access_ttl_s,
            "token_type": "Bearer",
        }

    @property
    def _collection(self) -> Any:
        return self._core.router.directory["sessions"]
