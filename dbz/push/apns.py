"""The part that is shaped like APNs: `POST /3/device/TOKEN` over HTTP/2, by Apple's documentation for providers."""

from __future__ import annotations

import asyncio
import re
import uuid
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dbz.push.keys import Keys, LoginError
from dbz.push.ledger import PushFault, PushLedger, ReceivedPush

_TYPES = {
    "alert", "background", "location", "voip", "complication", "fileprovider", "mdm", "liveactivity", "pushtotalk",
}  # fmt: skip
_TOKEN = re.compile(r"(?:[0-9a-fA-F]{2}){32,100}").fullmatch
_MOST_BYTES, _MOST_COLLAPSE_BYTES = 4096, 64


class ApnsRefusalError(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, reason: str, **more: Any) -> None:
        super().__init__(reason)
        self.status, self.reason, self.more = status, reason, more


class ApnsStandIn:
    """Takes pushes as APNs does."""

    def __init__(self, ledger: PushLedger, keys: Keys) -> None:
        self._ledger, self._keys = ledger, keys

    def routes(self) -> list[Route]:
        """Its route."""
        return [Route("/3/device/{token}", self.send, methods=["POST"])]

    async def send(self, request: Request) -> Response:
        """Take one push."""
        apns_id = request.headers.get("apns-id", "") or str(uuid.uuid4())
        headers = {"apns-id": apns_id}
        reason = ""
        fault = self._ledger.strike("apns")
        try:
            if fault is not None and fault.kind != "lost":
                await _go_wrong(fault)
            push = self._checked(request, apns_id, await request.body())
            self._ledger.take(push)
            if fault is not None and fault.kind == "lost":
                raise ApnsRefusalError(503, "ServiceUnavailable", seconds=fault.seconds)
            status, body = 200, b""
        except ApnsRefusalError as refusal:
            status, reason = refusal.status, refusal.reason
            if refusal.more.get("seconds"):
                headers["retry-after"] = f"{refusal.more['seconds']:g}"
            stamp = {"timestamp": refusal.more["timestamp"]} if "timestamp" in refusal.more else {}
            body = orjson.dumps({"reason": reason, **stamp}) if reason else b"<html>nothing of ours"
        self._ledger.answered[f"apns {status} {reason}".strip()] += 1
        return Response(body, status, headers)

    def _checked(self, request: Request, apns_id: str, body: bytes) -> ReceivedPush:
        """What the request pushes; `ApnsRefusalError` with Apple's reason."""
        if request.scope["http_version"] not in ("2", "2.0"):
            raise ApnsRefusalError(505, "HttpVersionNotSupported")
        try:
            self._keys.check_provider_token(request.headers.get("authorization", ""))
        except LoginError as error:
            raise ApnsRefusalError(403, str(error)) from None
        expires_s = self._check_headers(request, apns_id)
        token = request.path_params["token"]
        if not _TOKEN(token):
            raise ApnsRefusalError(400, "BadDeviceToken")
        if token in self._ledger.dead:
            raise ApnsRefusalError(410, "Unregistered", timestamp=self._ledger.dead[token])
        payload, alert = _payload(body)
        replaces = request.headers.get("apns-collapse-id", "")
        title, text = str(alert.get("title", "")), str(alert.get("body", ""))
        return ReceivedPush("apns", token, apns_id, replaces, title, text, expires_s, payload)

    def _check_headers(self, request: Request, apns_id: str) -> int:
        """When the push expires; `ApnsRefusalError` for a header that Apple refuses."""
        given = request.headers
        if not given.get("apns-topic"):
            raise ApnsRefusalError(400, "MissingTopic")
        if given["apns-topic"] != self._keys.topic:
            raise ApnsRefusalError(400, "DeviceTokenNotForTopic")
        if given.get("apns-push-type") not in _TYPES:
            raise ApnsRefusalError(400, "InvalidPushType")
        if given.get("apns-priority", "10") not in ("1", "5", "10"):
            raise ApnsRefusalError(400, "BadPriority")
        if len(given.get("apns-collapse-id", "").encode()) > _MOST_COLLAPSE_BYTES:
            raise ApnsRefusalError(400, "BadCollapseId")
        expires = given.get("apns-expiration", "0")
        if not (expires.isascii() and expires.isdecimal()):
            raise ApnsRefusalError(400, "BadExpirationDate")
        try:
            uuid.UUID(apns_id)
        except ValueError:
            raise ApnsRefusalError(400, "BadMessageId") from None
        return int(expires)


def _payload(body: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """The payload and its alert."""
    if not body:
        raise ApnsRefusalError(400, "PayloadEmpty")
    if len(body) > _MOST_BYTES:
        raise ApnsRefusalError(413, "PayloadTooLarge")
    try:
        payload = orjson.loads(body)
        alert = payload["aps"]["alert"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise ApnsRefusalError(400, "BadPayload") from None
    return payload, alert if isinstance(alert, dict) else {"body": alert}


async def _go_wrong(fault: PushFault) -> None:
    wrong = {
        "busy": (429, "TooManyRequests"),
        "quota": (503, "Shutdown"),
        "away": (503, "ServiceUnavailable"),
        "broken": (500, "InternalServerError"),
        "malformed": (502, ""),
        "login": (403, "ExpiredProviderToken"),
    }
    if fault.kind == "slow":
        await asyncio.sleep(fault.seconds)
        return
    status, reason = wrong[fault.kind]
    raise ApnsRefusalError(status, reason, seconds=fault.seconds if status in (429, 503) else 0)
