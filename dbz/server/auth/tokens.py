"""JSON Web Tokens: short-lived access tokens that carry the identity, and refresh tokens that work once."""

from __future__ import annotations

import hmac
import time
from base64 import urlsafe_b64encode
from collections import OrderedDict
from typing import Any

import jwt
import orjson

from dbz.server.auth.revocation import Revocations
from dbz.server.http.errors import ApiError
from dbz.server.values.identity import Identity

_ALGORITHM = "HS256"
_HEAD = urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=") + b"."
"""JOSE header (RFC 7515, section 3). Signed here, a token takes a tenth of the library's time, which looks each time
whether the secret might be a certificate; checking is the library's."""
_KNOWN = 20_000


def unauthorized(message: str) -> ApiError:
    """401."""
    return ApiError(401, "unauthorized", message)


class Tokens:
    """Signs and checks tokens. Checked access tokens are remembered, because checking costs more than a cached list."""

    def __init__(self, secret: str, access_ttl_s: int, refresh_ttl_s: int, revocations: Revocations) -> None:
        self._secret = secret
        self.access_ttl_s = access_ttl_s
        self.refresh_ttl_s = refresh_ttl_s
        self._revocations = revocations
        self._known: OrderedDict[str, Identity] = OrderedDict()

    def access(self, user_id: str, club_id: str, role: str, session_id: str) -> str:
        """An access token."""
        return self._sign("access", self.access_ttl_s, sub=user_id, club=club_id, role=role, sid=session_id)

    def refresh(self, user_id: str, session_id: str, refresh_id: str) -> str:
        """A refresh token; `refresh_id` is the one that the session accepts next."""
        return self._sign("refresh", self.refresh_ttl_s, sub=user_id, sid=session_id, jti=refresh_id)

    def authenticate(self, headers: dict[bytes, bytes]) -> Identity:
        """The identity behind the Authorization header among these; refuses with 401."""
        scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise unauthorized("send `Authorization: Bearer <access token>`")
        return self.identify(token.strip())

    def identify(self, token: str) -> Identity:
        """The identity in an access token; refuses with 401."""
        identity = self._known.get(token) or self._remember(token)
        if identity.expires_at <= time.time():
            self._known.pop(token, None)
            raise unauthorized("the access token has expired; refresh it")
        if identity.session_id in self._revocations:
            raise unauthorized("the session was ended; log in again")
        return identity

    def read_refresh(self, token: str) -> dict[str, Any]:
        """The claims of a refresh token; refuses with 401."""
        return self._read(token, "refresh")

    def _remember(self, token: str) -> Identity:
        claims = self._read(token, "access")
        try:
            identity = Identity(claims["sub"], claims["club"], claims["role"], claims["sid"], float(claims["exp"]))
        except KeyError:
            raise unauthorized("the access token is not one of this server") from None
        self._known[token] = identity
        if len(self._known) > _KNOWN:
            self._known.popitem(last=False)
        return identity

    def _sign(self, kind: str, ttl_s: int, **claims: str) -> str:
        now = int(time.time())
        body = orjson.dumps({**claims, "typ": kind, "iat": now, "exp": now + ttl_s})
        signed = _HEAD + urlsafe_b64encode(body).rstrip(b"=")
        mark = hmac.digest(self._secret.encode(), signed, "sha256")
        return (signed + b"." + urlsafe_b64encode(mark).rstrip(b"=")).decode()

    def _read(self, token: str, kind: str) -> dict[str, Any]:
        options: Any = {"require": ["exp", "sub"]}
        try:
            claims = jwt.decode(token, self._secret, algorithms=[_ALGORITHM], options=options)
        except jwt.ExpiredSignatureError:
            raise unauthorized(f"the {kind} token has expired") from None
        except (jwt.PyJWTError, ValueError):
            raise unauthorized(f"the {kind} token is not valid") from None
        if claims.get("typ") != kind:
            raise unauthorized(f"this is not a {kind} token")
        return dict(claims)
