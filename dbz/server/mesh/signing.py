"""Who asks, as one process of the server tells another: a header that only holders of the mesh secret can write."""

from __future__ import annotations

import hmac
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import orjson

from dbz.server.http.errors import ApiError
from dbz.server.values.identity import Identity

IDENTITY = b"x-dbz-identity"
"""The header with the user for whom a request is made; also found in the bodies of socket events."""
CALLER = b"x-dbz-caller"
"""The header with the name of the process that asks in its own name."""
INTERNAL_PREFIX = b"x-dbz-"
"""What all such headers begin with: nobody outside may send one."""

_VALID_S = 30.0
"""How old a signature may be, and how far clocks of two machines may differ."""


class Signer:
    """Signs and checks both headers."""

    def __init__(self, secret: str) -> None:
        self._key = secret.encode()

    def identity(self, identity: Identity) -> str:
        """The header's value for a user."""
        return self._signed(
            "user", identity.user_id, identity.club_id, identity.role, identity.session_id, identity.expires_at
        )

    def caller(self, name: str) -> str:
        """The header's value for a process."""
        return self._signed("service", name)

    def authenticate(self, headers: dict[bytes, bytes]) -> Identity:
        """The user in the headers of a request; refuses with 401."""
        return self.read_identity(headers.get(IDENTITY, b""))

    def read_identity(self, value: bytes) -> Identity:
        """The user in a header's value; refuses with 401."""
        user_id, club_id, role, session_id, expires_at = self._read("user", value)
        if expires_at <= time.time():
            raise ApiError(401, "unauthorized", "the access token has expired; refresh it")
        return Identity(user_id, club_id, role, session_id, expires_at)

    def check_caller(self, headers: dict[bytes, bytes]) -> str:
        """The name of the process that asks in its own name; refuses with 401."""
        (name,) = self._read("service", headers.get(CALLER, b""))
        return str(name)

    def _signed(self, kind: str, *fields: Any) -> str:
        payload = urlsafe_b64encode(orjson.dumps([kind, round(time.time(), 3), *fields]))
        return f"{payload.decode()}.{self._mac(payload)}"

    def _read(self, kind: str, value: bytes) -> list[Any]:
        payload, _, mac = value.partition(b".")
        if not mac or not hmac.compare_digest(mac, self._mac(payload).encode()):
            raise ApiError(401, "unauthorized", "this is answered through the gateway only")
        fields: list[Any]
        signed_kind, signed_at, *fields = orjson.loads(urlsafe_b64decode(payload))
        if signed_kind != kind or abs(time.time() - signed_at) > _VALID_S:
            raise ApiError(401, "unauthorized", "the signature is too old, or for something else")
        return fields

    def _mac(self, payload: bytes) -> str:
        return hmac.digest(self._key, payload, "sha256").hex()
