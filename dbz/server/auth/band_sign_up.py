"""Links with Band that begin before there is an account: what Band gave becomes a voucher, which a sign-up hands in."""

from __future__ import annotations

import secrets
from typing import Any

import orjson
from redis.asyncio import Redis

from dbz.server.auth.band_states import STATE_S, digest
from dbz.server.auth.band_tokens import BandTokens
from dbz.server.auth.vault import Vault, VaultError
from dbz.server.band_api import BandApi, BandError, BandThrottledError, BandUnavailableError
from dbz.server.sagas.definition import StepRefusedError

_AGAIN = "link Band once you are signed in"


class BandSignUps:
    """See `BandLinker`: links accounts by vouchers, which live as long as a state, in Redis, sealed.

    A voucher stays until its account is linked, so that a try which was cut off may come again. Band takes its code
    once: killed between that and the row, the account has no link, and none is half there.
    """

    def __init__(self, redis: Redis, vault: Vault, api: BandApi, stored: BandTokens) -> None:
        self._redis, self._vault = redis, vault
        self._api, self._stored = api, stored

    async def voucher(self, code: str, verifier: str) -> str:
        """A voucher for a code that Band gave for this verifier of PKCE."""
        voucher = secrets.token_urlsafe(32)
        name = _name(voucher)
        await self._redis.set(name, self._vault.seal(orjson.dumps([code, verifier]).decode(), name), ex=STATE_S)
        return voucher

    async def link(self, user_id: str, code: str) -> None:
        """See `BandLinker`; `code` is a voucher. Errors of a Band that is away pass through: later it may work."""
        if await self._stored.row(user_id) is not None:
            return
        try:
            answer = await self._api.exchange(*await self._behind(code))
        except (BandUnavailableError, BandThrottledError):
            raise
        except BandError as error:
            raise StepRefusedError(f"{error}: {_AGAIN}") from None
        await self._stored.keep(user_id, answer)
        await self._redis.delete(_name(code))

    async def unlink(self, user_id: str) -> None:
        """See `BandLinker`."""
        await self._stored.forget(user_id)

    async def _behind(self, voucher: str) -> tuple[str, str]:
        name = _name(voucher)
        sealed: Any = await self._redis.get(name)
        try:
            code, verifier = orjson.loads(self._vault.open(sealed.decode(), name)) if sealed else ("", "")
        except (VaultError, ValueError):
            code, verifier = "", ""
        if not code:
            raise StepRefusedError(f"the code of Band is not one of ours, is used, or is too old: {_AGAIN}")
        return code, verifier


def _name(voucher: str) -> str:
    return f"band:voucher:{digest(voucher)}"
