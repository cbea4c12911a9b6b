"""A stand-in of Band for tests, and what they ask of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.standins import RunningStandIn, start_stand_in

CLIENT = ("dbz-demo", "band-demo-secret")
LEADER = "band00-u00000"
BACK = "http://127.0.0.1:1/back"


class StandIn(RunningStandIn):
    """A running stand-in of Band."""

    def calm(self) -> None:
        """No faults, no limits that anybody meets."""
        self.control(forget_faults=True, rate=100_000, window_s=1, delay_s=0, access_ttl_s=3600)

    def ledger(self, band: str = "band00") -> dict[str, Any]:
        """The truth about a band."""
        truth: dict[str, Any] = self.http.get("/_dbz/ledger", params={"band_key": band}).json()
        return truth

    def issued(self) -> list[str]:
        """Every code and token that it ever gave out."""
        issued: list[str] = self.http.get("/_dbz/issued").json()["issued"]
        return issued

    def agree(self, user_key: str = LEADER, **more: str) -> dict[str, str]:
        """A user agrees: the parameters with which Band sends the browser back."""
        asked = {"response_type": "code", "client_id": CLIENT[0], "redirect_uri": BACK, "user_key": user_key, **more}
        answer = self.http.get("/oauth2/authorize", params=asked)
        assert answer.status_code == 302, answer.text
        return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}

    def token(self, **form: str) -> httpx.Response:
        """What the token endpoint says."""
        return self.http.post("/oauth2/token", data=form, auth=CLIENT)

    def signed_in(self, user_key: str = LEADER) -> dict[str, Any]:
        """Tokens of a user."""
        code = self.agree(user_key)["code"]
        tokens: dict[str, Any] = self.token(grant_type="authorization_code", code=code).json()
        return tokens

    def get(self, path: str, access: str, **query: Any) -> httpx.Response:
        """A call of the API."""
        return self.http.get(path, params={"access_token": access, **query})


@contextmanager
def start_band(folder: Path, *options: str) -> Iterator[StandIn]:
    """A stand-in that answers."""
    with start_stand_in("band", folder, *options) as (url, http):
        yield StandIn(url, http)
