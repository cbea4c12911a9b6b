"""The tokens that Band gave to users: encrypted in the document store, renewed by one process at a time."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Any

from dbz.server.auth.vault import Vault, VaultError
from dbz.server.band_api import BandApi, BandError, BandLinkError, BandUnauthorizedError, BandUnavailableError
from dbz.server.core import Core
from dbz.server.pacing.lease import RedisLease
from dbz.server.seams import BandToken
from dbz.server.values.clock import utc_now

_log = logging.getLogger(__name__)
_LONGEST_S = 10 * 365 * 86_400
_WITHOUT_S = 3600  # for an answer that does not say how long its token is valid
_POLL_S = 0.05
_AGAIN = "link Band again"


class BandTokens:
    """Owner of the collection `tokens`: a row for each user who has linked Band.

    {_id: user id, band_user, access, refresh, expires_at, version, ended, linked_at}, `access` and `refresh` sealed by
    the vault, `version` rising with each renewal, `ended` once Band takes the grant no more.
    """

    def __init__(self, core: Core, api: BandApi, vault: Vault) -> None:
        self._core = core
        self._api = api
        self._vault = vault

    async def keep(self, user_id: str, answer: dict[str, Any]) -> None:
        """Store what the token endpoint gave for a new link; it takes the place of an older one."""
        before = await self.row(user_id)
        row = {
            **self._sealed(user_id, answer),
            "band_user": str(answer.get("user_key", ""))[:200],
            "version": before["version"] + 1 if before else 0,
            "ended": False,
            "linked_at": utc_now(),
        }
        with self._core.queries.timed("tokens.keep"):
            await self._collection.replace_one({"_id": user_id}, row, upsert=True)

    async def row(self, user_id: str) -> dict[str, Any] | None:
        """The row of a user, sealed as it is."""
        with self._core.queries.timed("tokens.of_user"):
            return await self._collection.find_one({"_id": user_id})  # type: ignore[no-any-return]

    async def token(self, user_id: str, refused: int = -1) -> BandToken:
        """See `BandAccess`. A renewal that fails is no matter while the token that there is still works."""
        row = await self._usable(user_id)
        left_s = (row["expires_at"] - utc_now()).total_seconds()
        if row["version"] > refused and left_s > self._core.settings.band.refresh_before_s:
            return await self._opened(row)
        try:
            return await self._opened(await self._renewed(row))
        except BandUnauthorizedError:
            await self._end(row)
            raise BandLinkError(f"Band has ended the link: {_AGAIN}") from None
        except BandError:
            if row["version"] > refused and left_s > 0:
                return await self._opened(row)
            raise

    async def forget(self, user_id: str) -> bool:
        """Remove what is stored of a user, and have Band forget it too; whether there was something.

        Here it is gone in any case; a Band that does not answer keeps a grant that nobody has the tokens of.
        """
        with self._core.queries.timed("tokens.forget"):
            row = await self._collection.find_one_and_delete({"_id": user_id})
        if row is None:
            return False
        try:
            await self._api.revoke(self._open(row, "refresh"))
        except (BandError, VaultError) as error:
            _log.warning("a link with Band is gone here, but could not be revoked there: %s", error)
        return True

    async def _usable(self, user_id: str) -> dict[str, Any]:
        row = await self.row(user_id)
        if row is None:
            raise BandLinkError("Band is not linked")
        if row["ended"]:
            raise BandLinkError(f"Band has ended the link: {_AGAIN}")
        return row

    async def _renewed(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row with newer tokens, renewed here or by whoever was first."""
        user_id, patience_s = row["_id"], self._core.settings.band.timeout_s + 5.0
        lease = RedisLease(self._core.redis, f"band:refresh:{user_id}", patience_s)
        until = asyncio.get_running_loop().time() + patience_s
        while asyncio.get_running_loop().time() < until:
            if await lease.take():
                try:
                    now = await self._usable(user_id)
                    return now if now["version"] != row["version"] else await self._renew(row)
                finally:
                    await lease.release()
            await asyncio.sleep(_POLL_S)
            now = await self._usable(user_id)
            if now["version"] != row["version"]:
                return now
        raise BandUnavailableError("another process has been renewing the token for too long")

    async def _renew(self, row: dict[str, Any]) -> dict[str, Any]:
        refresh = self._open(row, "refresh")
        answer = await self._api.refresh(refresh)
        changed = {**self._sealed(row["_id"], {"refresh_token": refresh, **answer}), "version": row["version"] + 1}
        with self._core.queries.timed("tokens.renew"):
            done = await self._collection.update_one({"_id": row["_id"], "version": row["version"]}, {"$set": changed})
        # Nothing matched: the user has linked Band anew, or ended the link, while Band renewed the old one.
        return {**row, **changed} if done.matched_count else await self._usable(row["_id"])

    async def _end(self, row: dict[str, Any]) -> None:
        with self._core.queries.timed("tokens.end"):
            await self._collection.update_one({"_id": row["_id"], "version": row["version"]}, {"$set": {"ended": True}})

    async def _opened(self, row: dict[str, Any]) -> BandToken:
        token = BandToken(self._open(row, "access"), row["version"])
        if self._vault.is_old(row["access"]) or self._vault.is_old(row["refresh"]):
            await self._reseal(row)
        return token

    async def _reseal(self, row: dict[str, Any]) -> None:
        """Under the newest key, so that older ones can go."""
        kinds = ("access", "refresh")
        fresh = {kind: self._vault.seal(self._open(row, kind), f"{row['_id']}:{kind}") for kind in kinds}
        seen = {"_id": row["_id"], **{kind: row[kind] for kind in kinds}}
        with self._core.queries.timed("tokens.reseal"):
            await self._collection.update_one(seen, {"$set": fresh})

    def _open(self, row: dict[str, Any], kind: str) -> str:
        try:
            return self._vault.open(row[kind], f"{row['_id']}:{kind}")
        except VaultError as error:
            raise BandLinkError(f"{error}; {_AGAIN}") from None

    def _sealed(self, user_id: str, answer: dict[str, Any]) -> dict[str, Any]:
        refresh = answer.get("refresh_token")
        return {
            "access": self._vault.seal(answer["access_token"], f"{user_id}:access"),
            "refresh": self._vault.seal(refresh if isinstance(refresh, str) else "", f"{user_id}:refresh"),
            "expires_at": _expiry(answer.get("expires_in")),
        }

    @property
    def _collection(self) -> Any:
        return self._core.router.directory["tokens"]


def _expiry(expires_in: Any) -> datetime:
    seconds = expires_in if isinstance(expires_in, int) and not isinstance(expires_in, bool) else _WITHOUT_S
    return utc_now() + timedelta(seconds=min(max(seconds, 0), _LONGEST_S))
