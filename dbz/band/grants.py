"""What OAuth 2 has granted: codes that work once, access tokens that expire, refresh tokens that are exchanged."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass, field

_CODE_S = 60.0


class GrantError(Exception):
    """A refusal of the token endpoint; `code` is the one of RFC 6749 section 5.2."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Client:
    """The app that is registered with the stand-in."""

    id: str = "dbz-demo"
    secret: str = "band-demo-secret"
    redirects: tuple[str, ...] = ()
    """Addresses that answers may go to: any path of the same host and port; none: anywhere on this machine."""


@dataclass(frozen=True)
class Code:
    """An authorization code."""

    user_key: str
    redirect_uri: str
    challenge: str
    """The S256 challenge of PKCE (RFC 7636), empty without."""
    expires_s: float
    """By the monotonic clock, in seconds."""


@dataclass(frozen=True)
class Granted:
    """An access token with its refresh token."""

    user_key: str
    access: str
    refresh: str
    expires_s: float
    """By the monotonic clock, in seconds."""


@dataclass
class Grants:
    """All codes and tokens of one client."""

    client: Client
    access_ttl_s: float
    """How long an access token works, in seconds."""
    codes: dict[str, Code] = field(default_factory=dict)
    by_access: dict[str, Granted] = field(default_factory=dict)
    by_refresh: dict[str, Granted] = field(default_factory=dict)
    issued: list[str] = field(default_factory=list)
    """Every code and token that was ever given out, for tests that look for them where they must not be."""

    def authorize(self, user_key: str, redirect_uri: str, challenge: str) -> str:
        """A code for a user who agreed."""
        code = self._new()
        self.codes[code] = Code(user_key, redirect_uri, challenge, time.monotonic() + _CODE_S)
        return code

    def exchange(self, code: str, redirect_uri: str | None, verifier: str) -> Granted:
        """Tokens for a code, which works once; `GrantError` when it does not."""
        found = self.codes.pop(code, None)
        if found is None or found.expires_s < time.monotonic():
            raise GrantError("invalid_grant", "the code is unknown, used or expired")
        if redirect_uri is not None and redirect_uri != found.redirect_uri:
            raise GrantError("invalid_grant", "the redirect_uri is not the one of the authorization")
        if found.challenge and not hmac.compare_digest(found.challenge.encode(), challenge_of(verifier).encode()):
            raise GrantError("invalid_grant", "the code_verifier does not fit its challenge")
        return self._grant(found.user_key)

    def refresh(self, token: str) -> Granted:
        """New tokens for a refresh token, which works once; `GrantError` when it does not."""
        old = self.by_refresh.pop(token, None)
        if old is None:
            raise GrantError("invalid_grant", "the refresh token is unknown, used or revoked")
        self.by_access.pop(old.access, None)
        return self._grant(old.user_key)

    def revoke(self, token: str) -> None:
        """End an access or refresh token, and the other one of the pair (RFC 7009); an unknown one is no error."""
        granted = self.by_access.get(token) or self.by_refresh.get(token)
        if granted is not None:
            self.by_access.pop(granted.access, None)
            self.by_refresh.pop(granted.refresh, None)

    def user_of(self, access: str) -> str | None:
        """Whose access token this is, None when it does not work any more."""
        granted = self.by_access.get(access)
        return granted.user_key if granted is not None and granted.expires_s > time.monotonic() else None

    def expire(self) -> None:
        """Let all access tokens expire now; refresh tokens stay."""
        self.by_access.clear()

    def _grant(self, user_key: str) -> Granted:
        granted = Granted(user_key, self._new(), self._new(), time.monotonic() + self.access_ttl_s)
        self.by_access[granted.access] = self.by_refresh[granted.refresh] = granted
        return granted

    def _new(self) -> str:
        self.issued.append(secrets.token_urlsafe(32))
        return self.issued[-1]


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a PKCE verifier."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
