"""The part that is shaped like FCM HTTP v1: `POST /v1/projects/PROJECT/messages:send`, and the token endpoint."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any
from urllib.parse import parse_qs

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dbz.push.keys import Keys, LoginError
from dbz.push.ledger import PushFault, PushLedger, ReceivedPush

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_DETAIL = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
_MOST_BYTES = 4096
_TTL = re.compile(r"\d{1,9}(?:\.\d{1,9})?s").fullmatch
_TOKEN = re.compile(r"[A-Za-z0-9:_-]{20,4096}").fullmatch


class FcmRefusalError(Exception):
    """An answer that is no success: HTTP status, Google's status, FCM's error code, the field that is wrong."""

    def __init__(self, status: int, name: str, code: str = "", seconds: float = 0.0, field: str = "") -> None:
        super().__init__(code or name)
        self.status, self.name, self.code, self.seconds, self.field = status, name, code, seconds, field


class FcmStandIn:
    """Takes pushes as FCM does."""

    def __init__(self, ledger: PushLedger, keys: Keys) -> None:
        self._ledger, self._keys = ledger, keys
        self._number = 0

    def routes(self) -> list[Route]:
        """Its routes."""
        return [
            Route("/token", self.token, methods=["POST"]),
            Route("/v1/projects/{project}/messages:send", self.send, methods=["POST"]),
        ]

    async def token(self, request: Request) -> Response:
        """An access token for a signed assertion."""
        form = parse_qs((await request.body()).decode("utf-8", "replace"))
        try:
            if form.get("grant_type") != [_GRANT]:
                raise LoginError("unsupported_grant_type")
            answer, status = self._keys.grant(form.get("assertion", [""])[0]), 200
        except LoginError as error:
            code, _, description = str(error).partition(": ")
            answer, status = {"error": code, "error_description": description}, 400
        return Response(orjson.dumps(answer), status, {"cache-control": "no-store"}, "application/json")

    async def send(self, request: Request) -> Response:
        """Take one push."""
        fault = self._ledger.strike("fcm")
        headers: dict[str, str] = {}
        reason = ""
        try:
            if fault is not None and fault.kind != "lost":
                await _go_wrong(fault)
            push = self._checked(request, await request.body())
            self._ledger.take(push)
            if fault is not None and fault.kind == "lost":
                raise FcmRefusalError(503, "UNAVAILABLE", "UNAVAILABLE", fault.seconds)
            status, body = 200, orjson.dumps({"name": push.id})
        except FcmRefusalError as refusal:
            status, reason = refusal.status, str(refusal)
            if refusal.seconds:
                headers["retry-after"] = f"{refusal.seconds:g}"
            body = _error(refusal) if refusal.name else b"<html>nothing of ours"
        self._ledger.answered[f"fcm {status} {reason}".strip()] += 1
        return Response(body, status, headers, "application/json")

    def _checked(self, request: Request, body: bytes) -> ReceivedPush:
        """What the request pushes; `FcmRefusalError` for what Google refuses."""
        try:
            self._keys.check_access(request.headers.get("authorization", ""))
        except LoginError:
            raise FcmRefusalError(401, "UNAUTHENTICATED") from None
        if request.path_params["project"] != self._keys.project:
            raise FcmRefusalError(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH")
        message = _message(body)
        token = message.get("token")
        if not isinstance(token, str) or not _TOKEN(token):
            raise FcmRefusalError(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", field="message.token")
        if token in self._ledger.dead:
            raise FcmRefusalError(404, "NOT_FOUND", "UNREGISTERED")
        shown, android = message.get("notification") or {}, message.get("android") or {}
        ttl = android.get("ttl", "2419200s")
        if not isinstance(ttl, str) or not _TTL(ttl):
            raise FcmRefusalError(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT")
        self._number += 1
        name = f"projects/{self._keys.project}/messages/0:{self._number}"
        tag = str((android.get("notification") or {}).get("tag", ""))
        expires_s = int(time.time() + float(ttl[:-1]))
        title, text = str(shown.get("title", "")), str(shown.get("body", ""))
        return ReceivedPush("fcm", token, name, tag, title, text, expires_s, message)


def _message(body: bytes) -> dict[str, Any]:
    invalid = FcmRefusalError(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT")
    if len(body) > _MOST_BYTES:
        raise invalid
    try:
        message = orjson.loads(body)["message"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise invalid from None
    data = message.get("data", {}) if isinstance(message, dict) else None
    if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
        raise invalid
    return message  # type: ignore[no-any-return]


def _error(refusal: FcmRefusalError) -> bytes:
    details: list[dict[str, Any]] = [{"@type": _DETAIL, "errorCode": refusal.code}] if refusal.code else []
    if refusal.field:
        details.append({"@type": _BAD_REQUEST, "fieldViolations": [{"field": refusal.field}]})
    error = {"code": refusal.status, "message": str(refusal), "status": refusal.name, "details": details}
    return orjson.dumps({"error": error})


async def _go_wrong(fault: PushFault) -> None:
    wrong = {
        "busy": (429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"),
        "quota": (429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"),
        "away": (503, "UNAVAILABLE", "UNAVAILABLE"),
        "broken": (500, "INTERNAL", "INTERNAL"),
        "malformed": (502, "", ""),
        "login": (401, "UNAUTHENTICATED", ""),
    }
    if fault.kind == "slow":
        await asyncio.sleep(fault.seconds)
        return
    status, name, code = wrong[fault.kind]
    raise FcmRefusalError(status, name, code, fault.seconds if status in (429, 503) else 0)
