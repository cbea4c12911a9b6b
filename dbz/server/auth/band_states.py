"""Links with Band that somebody has begun: bound to a session, for ten minutes, and for one use."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson
from redis.asyncio import Redis

from dbz.server.auth.vault import Vault, VaultError
from dbz.server.values.identity import Identity

STATE_S = 600


@dataclass(frozen=True)
class Begun:
    """A link that was begun."""

    user_id: str
    """Empty for somebody who has no account yet."""
    session_id: str
    verifier: str = field(repr=False)
    """Of PKCE (RFC 7636)."""
    browser: str = field(repr=False)
    """What the browser that began it holds as a cookie, hashed."""

    def is_browser(self, cookie: str) -> bool:
        """Whether this cookie is that of the browser that began it."""
        return hmac.compare_digest(self.browser, digest(cookie))


class BandStates:
    """Keeps what was begun in Redis, sealed, by the hash of its state."""

    def __init__(self, redis: Redis, vault: Vault) -> None:
        self._redis = redis
        self._vault = vault

    async def begin(self, reader: Identity | None) -> tuple[str, str, str]:
        """A new state, its PKCE challenge, and the browser's cookie; without a reader for somebody who signs up."""
        state, cookie, verifier = (secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48))
        whose = (reader.user_id, reader.session_id) if reader else ("", "")
        begun = Begun(*whose, verifier, digest(cookie))
        name = _name(state)
        await self._redis.set(name, self._vault.seal(orjson.dumps(asdict(begun)).decode(), name), ex=STATE_S)
        return state, digest(verifier), cookie

    async def take(self, state: str) -> Begun | None:
        """What was begun under a state, once; None when there is nothing (any more)."""
        name = _name(state)
        sealed: Any = await self._redis.getdel(name)
        if sealed is None:
            return None
        try:
            return Begun(**orjson.loads(self._vault.open(sealed.decode(), name)))
        except (VaultError, ValueError, TypeError):
            return None


def digest(text: str) -> str:
    """SHA-256 in base64 for URLs, as PKCE's S256 wants it."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def _name(state: str) -> str:
    return f"band:state:{digest(state)}"
