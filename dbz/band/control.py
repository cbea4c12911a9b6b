"""What rehearsals and tests ask of the stand-in itself: faults, changes, and what the truth is."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dbz.band.answers import json_response
from dbz.band.community import Community
from dbz.band.faults import KINDS, CallRate, Fault, StandInFaults
from dbz.band.grants import Grants


class StandInControl:
    """`POST /_dbz/control`, `GET /_dbz/ledger`, `/_dbz/issued`, `/_dbz/ready`; open to whoever reaches loopback."""

    def __init__(self, grants: Grants, community: Community, rate: CallRate, faults: StandInFaults) -> None:
        self._grants, self._community, self._rate, self._faults = grants, community, rate, faults

    def routes(self) -> list[Route]:
        """Its routes."""
        return [
            Route("/_dbz/control", self.control, methods=["POST"]),
            Route("/_dbz/ledger", self.ledger, methods=["GET"]),
            Route("/_dbz/issued", self.issued, methods=["GET"]),
            Route("/_dbz/ready", self.ready, methods=["GET"]),
        ]

    async def control(self, request: Request) -> Response:
        """Do what the JSON body asks; see docs/band.md for its keys. 400 says what is wrong with it."""
        try:
            wanted = orjson.loads(await request.body() or b"{}")
            self._carry_out(wanted)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return json_response({"error": f"{type(error).__name__}: {error}"}, 400)
        return json_response({})

    def _carry_out(self, wanted: dict[str, Any]) -> None:
        if wanted.get("forget_faults"):
            self._faults.wanted.clear()
        faults = [Fault(**fault) for fault in wanted.get("faults", ())]
        unknown = sorted({fault.kind for fault in faults} - {*KINDS})
        if unknown:
            raise ValueError(f"no kind of fault: {', '.join(unknown)}; there are {', '.join(KINDS)}")
        self._faults.wanted += faults
        self._faults.delay_s = float(wanted.get("delay_s", self._faults.delay_s))
        self._rate.limit = int(wanted.get("rate", self._rate.limit))
        self._rate.window_s = float(wanted.get("window_s", self._rate.window_s))
        self._grants.access_ttl_s = float(wanted.get("access_ttl_s", self._grants.access_ttl_s))
        if wanted.get("expire_tokens"):
            self._grants.expire()
        for change in wanted.get("changes", ()):
            self._community.change(change["band_key"], change)

    async def ledger(self, request: Request) -> Response:
        """Members and photos of a band as they are, and how often each path was answered with which status."""
        band = request.query_params.get("band_key", "")
        if band not in self._community.bands:
            return json_response({"error": f"no band {band}; there are {', '.join(self._community.bands)}"}, 404)
        truth = {"members": self._community.members[band].living(), "photos": self._community.photos[band].living()}
        return json_response({**truth, "answered": Counter(self._faults.answered)})

    async def issued(self, _request: Request) -> Response:
        """Every code and token that was ever given out."""
        return json_response({"issued": self._grants.issued})

    async def ready(self, _request: Request) -> Response:
        """That it is up."""
        return json_response({"status": "ok"})
