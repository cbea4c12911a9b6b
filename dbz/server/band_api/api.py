"""Calls of Band over HTTP, bounded in time and size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx

from dbz.server.band_api.answers import data_of, tokens_of
from dbz.server.band_api.errors import BandError, BandRefusedError, BandUnavailableError
from dbz.server.observe.metrics import Figures
from dbz.server.outside import open_http
from dbz.server.settings import BandSettings

_MOST_BANDS = 1000


@dataclass(frozen=True)
class BandPage:
    """A page of one of Band's lists."""

    items: list[dict[str, Any]]
    following: dict[str, str] | None
    """The parameters that lead to the next page, None at the end."""


class BandApi:
    """Band as this app may use it; `secret` is the app's own."""

    def __init__(self, settings: BandSettings, secret: str, figures: Figures) -> None:
        self._settings = settings
        self._secret = secret
        self._figures = figures
        self._auth_url = settings.auth_url or settings.url
        self._http = open_http(settings.url, settings.timeout_s)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    def authorize_url(self, state: str, challenge: str) -> str:
        """Where a user agrees that this app reads his bands; `challenge` is the S256 one of PKCE."""
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": self._settings.redirect_uri,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{self._auth_url}/oauth2/authorize?{urlencode(query)}"

    async def exchange(self, code: str, verifier: str) -> dict[str, Any]:
        """The tokens for an authorization code; `BandError` when there are none."""
        form = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
        return await self._tokens({**form, "redirect_uri": self._settings.redirect_uri})

    async def refresh(self, refresh_token: str) -> dict[str, Any]:
        """New tokens for a refresh token; `BandUnauthorizedError` when Band has ended the grant."""
        return await self._tokens({"grant_type": "refresh_token", "refresh_token": refresh_token})

    async def revoke(self, token: str) -> None:
        """Have Band forget a token and its grant."""
        status, _, _ = await self._ask("revoke", "POST", f"{self._auth_url}/oauth2/revoke", form={"token": token})
        if status != 200:
            raise BandRefusedError(f"Band did not revoke the grant (status {status})")

    async def bands(self, access: str) -> list[dict[str, Any]]:
        """The bands of a user: {band_key, name, cover, member_count}."""
        data = await self._data("bands", "/v2.1/bands", {"access_token": access})
        listed = data.get("bands")
        if not isinstance(listed, list):
            raise BandUnavailableError("Band sent no list of bands")
        return [row for row in listed[:_MOST_BANDS] if isinstance(row, dict) and isinstance(row.get("band_key"), str)]

    async def page(self, name: str, path: str, access: str, query: Mapping[str, str]) -> BandPage:
        """A page of the list at `path`; `name` is what metrics call it."""
        data = await self._data(name, path, {**query, "access_token": access})
        items, paging = data.get("items"), data.get("paging")
        if not isinstance(items, list) or not isinstance(paging, dict):
            raise BandUnavailableError(f"Band sent no page of {name}")
        following = paging.get("next_params")
        if following is None:
            return BandPage(items, None)
        if not isinstance(following, dict):
            raise BandUnavailableError(f"Band does not say where {name} go on")
        kept = {key: str(value) for key, value in following.items() if key != "access_token"}
        return BandPage(items, kept)

    async def _tokens(self, form: dict[str, str]) -> dict[str, Any]:
        answer = await self._ask("token", "POST", f"{self._auth_url}/oauth2/token", form=form)
        return tokens_of(*answer)

    async def _data(self, name: str, path: str, query: dict[str, str]) -> dict[str, Any]:
        try:
            data = data_of(*await self._ask(name, "GET", self._settings.url + path, query=query))
        except BandError as error:
            self._figures.band_requests.add((name, type(error).__name__))
            raise
        self._figures.band_requests.add((name, "ok"))
        return data

    async def _ask(
        self,
        name: str,
        method: str,
        url: str,
        *,
        query: dict[str, str] | None = None,
        form: dict[str, str] | None = None,
    ) -> tuple[int, httpx.Headers, bytes]:
        """Status, headers and body. Errors are raised without their cause: it may hold a URL, and that a token."""
        auth = (self._settings.client_id, self._secret) if form is not None else None
        problem = ""
        try:
            async with self._http.stream(method, url, params=query, data=form, auth=auth) as response:
                body = bytearray()
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > self._settings.max_answer_bytes:
                        problem = f"Band's answer is larger than {self._settings.max_answer_bytes} bytes"
                        break
                if not problem:
                    return response.status_code, response.headers, bytes(body)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            problem = f"Band does not answer ({type(error).__name__})"
        raise BandUnavailableError(f"{problem}: {name}")
