"""What rehearsals and tests ask of the stand-in itself: faults, dead tokens, what it received, and its credentials."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dbz.push.keys import Keys
from dbz.push.ledger import KINDS, PushFault, PushLedger


class PushControl:
    """`POST /_dbz/control`, `GET /_dbz/ledger`, `/_dbz/environment`, `/_dbz/ready`; for whoever reaches loopback."""

    def __init__(self, ledger: PushLedger, keys: Keys) -> None:
        self._ledger, self._keys = ledger, keys

    def routes(self) -> list[Route]:
        """Its routes."""
        return [
            Route("/_dbz/control", self.control, methods=["POST"]),
            Route("/_dbz/ledger", self.ledger, methods=["GET"]),
            Route("/_dbz/environment", self.environment, methods=["GET"]),
            Route("/_dbz/ready", self.ready, methods=["GET"]),
        ]

    async def control(self, request: Request) -> Response:
        """Do what the JSON body asks; see docs/notifications.md for its keys. 400 says what is wrong with it."""
        try:
            self._carry_out(orjson.loads(await request.body() or b"{}"))
        except (ValueError, TypeError, AttributeError) as error:
            return _json({"error": f"{type(error).__name__}: {error}"}, 400)
        return _json({})

    def _carry_out(self, wanted: dict[str, Any]) -> None:
        faults = [PushFault(**fault) for fault in wanted.get("faults", ())]
        unknown = sorted({fault.kind for fault in faults} - {*KINDS})
        if unknown:
            raise ValueError(f"no kind of fault: {', '.join(unknown)}; there are {', '.join(KINDS)}")
        if wanted.get("forget"):
            self._ledger.received.clear()
            self._ledger.answered.clear()
            self._ledger.faults.clear()
            self._ledger.dead.clear()
        if wanted.get("forget_access"):
            self._keys.forget_access()
        self._ledger.faults += faults
        self._ledger.dead |= {str(token): int(at_ms) for token, at_ms in wanted.get("dead", {}).items()}

    async def ledger(self, _request: Request) -> Response:
        """What was received, what devices show of it, and how often was answered what."""
        received = [asdict(push) for push in self._ledger.received]
        return _json({"received": received, "shown": self._ledger.shown(), "answered": dict(self._ledger.answered)})

    async def environment(self, request: Request) -> Response:
        """The variables of a server that uses it: for a shell, or as JSON with `?json=1`."""
        if request.query_params.get("json"):
            return _json(self._keys.environment())
        return Response(self._keys.shell(), media_type="text/plain")

    async def ready(self, _request: Request) -> Response:
        """That it is up."""
        return _json({"status": "ok"})


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
