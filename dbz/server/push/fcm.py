"""FCM HTTP v1: an access token of a service account, one request for each device.

Source of fields and error codes: Google, "REST Resource: projects.messages" and "ErrorCode" of FCM; of the token grant
RFC 7523.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import jwt
import orjson

from dbz.server.outside import open_http, retry_after_s
from dbz.server.push.calls import ask
from dbz.server.push.provider import (
    DeadAddressError,
    MessageRefusedError,
    ProviderAwayError,
    ProviderBusyError,
    PushError,
    PushMessage,
    fitting,
)
from dbz.server.settings import PushSettings

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ASSERTION_S = 3600
_EARLY_S = 120.0
_QUOTA_S = 60.0
_MOST_TTL_S = 28 * 86_400


class Fcm:
    """`PushProvider` over FCM; `credentials` are the service account's JSON."""

    name = "fcm"

    def __init__(self, settings: PushSettings, credentials: str) -> None:
        self._settings = settings
        self._account: dict[str, str] = orjson.loads(credentials)
        self._url = f"{settings.fcm_url}/v1/projects/{self._account['project_id']}/messages:send"
        self._http = open_http(settings.fcm_url, settings.timeout_s)
        self._access, self._until = "", 0.0
        self._renewing = asyncio.Lock()

    async def send(self, message: PushMessage) -> None:
        """See `PushProvider`."""
        access = await self._access_token()
        status, headers, answer = await self._post(message, access)
        if status == 401:
            access = await self._access_token(refused=access)
            status, headers, answer = await self._post(message, access)
        if status != 200 or not isinstance(answer.get("name"), str):
            raise _error(status, headers, answer)

    async def close(self) -> None:
        """See `PushProvider`."""
        await self._http.aclose()

    async def _post(self, message: PushMessage, access: str) -> tuple[int, Any, dict[str, Any]]:
        ttl_s = min(max(0, int(message.expires_s - time.time())), _MOST_TTL_S)
        # No collapse key: FCM keeps four of them for a device that is away. The tag has a device that gets a push twice
        # show it once.
        android = {
            "priority": "HIGH" if message.urgent else "NORMAL",
            "ttl": f"{ttl_s}s",
            "notification": {"tag": message.replaces},
        }

        def payload(body: str) -> dict[str, Any]:
            shown = {"title": message.title, "body": body}
            data = {"notification_id": message.key, "type": message.kind}
            told = {"token": message.address, "notification": shown, "data": data, "android": android}
            return {"message": told}

        headers = {"authorization": f"Bearer {access}", "content-type": "application/json"}
        return await ask(self._http, self._url, headers, fitting(payload, message.body))

    async def _access_token(self, refused: str = "") -> str:
        """The access token of now, another one than `refused`; `PushError` when there is none."""
        async with self._renewing:
            if not self._access or time.time() > self._until or self._access == refused:
                await self._renew()
            return self._access

    async def _renew(self) -> None:
        now = int(time.time())
        where = self._account["token_uri"]
        claims = {"iss": self._account["client_email"], "scope": SCOPE, "aud": where, "iat": now}
        key_id = {"kid": self._account.get("private_key_id", "")}
        claims |= {"exp": now + _ASSERTION_S}
        # An RSA signature takes about a millisecond, once an hour.
        assertion = jwt.encode(claims, self._account["private_key"], "RS256", headers=key_id)
        form = urlencode({"grant_type": _GRANT, "assertion": assertion}).encode()
        status, _, answer = await ask(self._http, where, {"content-type": "application/x-www-form-urlencoded"}, form)
        access, lives_s = answer.get("access_token"), answer.get("expires_in")
        if status == 200 and isinstance(access, str) and isinstance(lives_s, int | float):
            self._access, self._until = access, now + max(lives_s - _EARLY_S, lives_s / 2)
        elif 400 <= status < 500 and status != 429:
            raise MessageRefusedError(f"the service account gets no access token (status {status})")
        else:
            raise ProviderAwayError(f"the token endpoint answers with status {status}")


def _error(status: int, headers: Mapping[str, str], answer: Mapping[str, Any]) -> PushError:
    error = answer.get("error")
    if not isinstance(error, dict):
        return ProviderAwayError(f"status {status} without an error of FCM")
    details = error.get("details")
    listed = details if isinstance(details, list) else []
    codes = [one["errorCode"] for one in listed if isinstance(one, dict) and isinstance(one.get("errorCode"), str)]
    code = codes[0] if codes else str(error.get("status", ""))[:50]
    if code == "UNREGISTERED":
        return DeadAddressError(code)
    if code == "SENDER_ID_MISMATCH" or "message.token" in _violated(listed):
        return DeadAddressError(code, certain=False)
    if status == 429 or (status == 503 and headers.get("retry-after")):
        return ProviderBusyError(code, retry_after_s(headers.get("retry-after"), _QUOTA_S), everybody=True)
    if status >= 500:
        return ProviderAwayError(code)
    return MessageRefusedError(f"{code} (status {status})")


def _violated(details: list[Any]) -> list[Any]:
    """The fields that Google finds wrong (`google.rpc.BadRequest`)."""
    found = [one.get("fieldViolations") for one in details if isinstance(one, dict)]
    return [each.get("field") for some in found if isinstance(some, list) for each in some if isinstance(each, dict)]
