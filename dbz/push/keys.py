"""The credentials of the stand-in, made at its start: what a server signs with, and what is accepted of it."""

from __future__ import annotations

import json
import shlex
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

TEAM_ID, KEY_ID = "DBZTEAM001", "DBZKEY0001"
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_HOUR_S = 3600
_SKEW_S = 60


class LoginError(Exception):
    """Credentials that are not accepted; its text is the reason by the provider's own name."""


class Keys:
    """An ES256 key for APNs, and a service account with an RS256 key for FCM."""

    def __init__(self, url: str, topic: str, project: str) -> None:
        self.url, self.topic, self.project = url, topic, project
        self.email = f"push@{project}.iam.example"
        self._apns = ec.generate_private_key(ec.SECP256R1())
        self._fcm = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._issued: dict[str, float] = {}

    def environment(self) -> dict[str, str]:
        """The variables with which the reference server uses this stand-in."""
        account = {
            "type": "service_account",
            "project_id": self.project,
            "private_key_id": "dbz",
            "private_key": _pem(self._fcm),
            "client_email": self.email,
            "token_uri": f"{self.url}/token",
        }
        return {
            "PUSH_APNS_URL": self.url,
            "PUSH_APNS_TOPIC": self.topic,
            "PUSH_APNS_TEAM_ID": TEAM_ID,
            "PUSH_APNS_KEY_ID": KEY_ID,
            "PUSH_APNS_KEY": _pem(self._apns),
            "PUSH_FCM_URL": self.url,
            "PUSH_FCM_CREDENTIALS": json.dumps(account),
        }

    def shell(self) -> str:
        """The same, to be read by a shell."""
        return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in self.environment().items())

    def check_provider_token(self, authorization: str) -> None:
        """`LoginError` unless the header holds a provider token of the last hour, as APNs wants it."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise LoginError("MissingProviderToken")
        try:
            head = jwt.get_unverified_header(token)
            claims = jwt.decode(token, self._apns.public_key(), algorithms=["ES256"], options={"verify_iat": False})
            issued_at = float(claims["iat"])
        except (jwt.PyJWTError, KeyError, TypeError, ValueError):
            raise LoginError("InvalidProviderToken") from None
        if head.get("kid") != KEY_ID or claims.get("iss") != TEAM_ID or issued_at > time.time() + _SKEW_S:
            raise LoginError("InvalidProviderToken")
        if issued_at < time.time() - _HOUR_S:
            raise LoginError("ExpiredProviderToken")

    def grant(self, assertion: str, ttl_s: float = _HOUR_S) -> dict[str, Any]:
        """An access token for an assertion of the service account (RFC 7523); `LoginError` for any other."""
        try:
            claims = jwt.decode(
                assertion, self._fcm.public_key(), algorithms=["RS256"], audience=f"{self.url}/token", leeway=_SKEW_S
            )
        except jwt.PyJWTError as error:
            raise LoginError(f"invalid_grant: {error}") from None
        if claims.get("iss") != self.email or SCOPE not in str(claims.get("scope", "")).split():
            raise LoginError("invalid_grant: another account, or another scope")
        access = f"ya29.dbz-{len(self._issued):06d}"
        self._issued[access] = time.time() + ttl_s
        return {"access_token": access, "expires_in": int(ttl_s), "token_type": "Bearer"}

    def check_access(self, authorization: str) -> None:
        """`LoginError` unless the header holds an access token that is still valid."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or self._issued.get(token, 0.0) < time.time():
            raise LoginError("UNAUTHENTICATED")

    def forget_access(self) -> None:
        """End all access tokens before their time."""
        self._issued.clear()


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
