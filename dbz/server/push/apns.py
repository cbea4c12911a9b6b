"""APNs: HTTP/2, a provider token signed with ES256, one request for each device.

Source of headers, limits and reasons: Apple, "Sending notification requests to APNs" and "Handling notification
responses from APNs".
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import jwt

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

_RENEW_S = 45 * 60  # tokens live for an hour, and may not be renewed more often than every 20 minutes
_BUSY_S = 30.0
_BAD_TOKEN = {"BadDeviceToken", "DeviceTokenNotForTopic"}


class Apns:
    """`PushProvider` over APNs; `key` is the private key in PEM."""

    name = "apns"

    def __init__(self, settings: PushSettings, key: str) -> None:
        self._settings = settings
        self._key = key
        self._http = open_http(settings.apns_url, settings.timeout_s, http2=True)
        self._token, self._made_at = "", 0.0
        self._renewing = asyncio.Lock()

    async def send(self, message: PushMessage) -> None:
        """See `PushProvider`."""
        token = await self._provider_token()
        status, headers, answer = await self._post(message, token)
        if answer.get("reason") == "ExpiredProviderToken":
            token = await self._provider_token(refused=token)
            status, headers, answer = await self._post(message, token)
        if status != 200:
            raise _error(status, headers, answer)

    async def close(self) -> None:
        """See `PushProvider`."""
        await self._http.aclose()

    async def _post(self, message: PushMessage, token: str) -> tuple[int, Any, dict[str, Any]]:
        headers = {
            "authorization": f"bearer {token}",
            "apns-topic": self._settings.apns_topic,
            "apns-push-type": "alert",
            "apns-priority": "10",
            "apns-id": message.uuid,
            "apns-collapse-id": message.replaces,
            "apns-expiration": str(int(message.expires_s)),
        }
        level = "time-sensitive" if message.urgent else "active"

        def payload(body: str) -> dict[str, Any]:
            alert = {"title": message.title, "body": body}
            aps = {"alert": alert, "thread-id": message.kind, "interruption-level": level, "sound": "default"}
            return {"aps": aps, "notification_id": message.key, "type": message.kind}

        url = f"{self._settings.apns_url}/3/device/{message.address}"
        return await ask(self._http, url, headers, fitting(payload, message.body))

    async def _provider_token(self, refused: str = "") -> str:
        """The token of now; a newer one than `refused`."""
        async with self._renewing:
            now = time.time()
            if not self._token or now - self._made_at > _RENEW_S or self._token == refused:
                # Signing takes a tenth of a millisecond.
                claims = {"iss": self._settings.apns_team_id, "iat": int(now)}
                self._token = jwt.encode(claims, self._key, "ES256", headers={"kid": self._settings.apns_key_id})
                self._made_at = now
            return self._token


def _error(status: int, headers: Mapping[str, str], answer: Mapping[str, Any]) -> PushError:
    reason = answer.get("reason")
    if not isinstance(reason, str):
        return ProviderAwayError(f"status {status} without a reason")
    if status == 410:
        since = answer.get("timestamp")
        return DeadAddressError(reason, since if type(since) is int else None)
    if reason in _BAD_TOKEN:
        return DeadAddressError(reason, certain=False)
    if status == 429 or (status == 503 and headers.get("retry-after")):
        wait_s = retry_after_s(headers.get("retry-after"), _BUSY_S)
        return ProviderBusyError(reason, wait_s, everybody=reason != "TooManyRequests")
    if status >= 500:
        return ProviderAwayError(reason)
    return MessageRefusedError(f"{reason} (status {status})")
