"""The open API: bands, members, albums and photos, in pages by cursor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dbz.band.answers import INSUFFICIENT, INVALID, NOT_A_MEMBER, UNAUTHORIZED, RefusalError, success
from dbz.band.community import Community
from dbz.band.faults import CallRate, StandInFaults
from dbz.band.grants import Grants
from dbz.band.shelf import CursorError, Shelf

_LIMIT, _MAX_LIMIT = 20, 100
Call = Callable[[Request, str], Any]


class Api:
    """What an access token opens."""

    def __init__(self, grants: Grants, community: Community, rate: CallRate, faults: StandInFaults) -> None:
        self._grants, self._community, self._rate, self._faults = grants, community, rate, faults

    def routes(self) -> list[Route]:
        """Its routes."""
        calls: dict[str, Call] = {
            "/v2/profile": self.profile,
            "/v2.1/bands": self.bands,
            "/v2/band/members": self.members,
            "/v2/band/albums": self.albums,
            "/v2/band/album/photos": self.photos,
        }
        return [Route(path, self._guarded(path, call), methods=["GET"]) for path, call in calls.items()]

    def _guarded(self, path: str, call: Call) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            try:
                response = await self._faults.strike(path)
                if response is None:
                    access = request.query_params.get("access_token") or _bearer(request)
                    user_key = self._grants.user_of(access)
                    if user_key is None:
                        raise RefusalError(UNAUTHORIZED)
                    self._rate.count(access)
                    response = success(call(request, user_key))
            except RefusalError as refusal:
                response = refusal.response()
            self._faults.answered[f"{path} {response.status_code}"] += 1
            return response

        return answer

    def profile(self, _request: Request, user_key: str) -> dict[str, Any]:
        """The user behind the token, as the first of his bands knows him."""
        bands = self._community.bands_of(user_key)
        if not bands:
            raise RefusalError(NOT_A_MEMBER)
        row = self._community.members[bands[0]].rows[user_key]
        told = {name: row[name] for name in ("user_key", "name", "profile_image_url")}
        return {**told, "is_app_member": True, "message_allowed": True}

    def bands(self, _request: Request, user_key: str) -> dict[str, Any]:
        """The bands of the user."""
        return {"bands": [self._community.band(key) for key in self._community.bands_of(user_key)]}

    def members(self, request: Request, user_key: str) -> dict[str, Any]:
        """A page of members (ours)."""
        return _page(request, self._community.members[self._band(request, user_key)])

    def photos(self, request: Request, user_key: str) -> dict[str, Any]:
        """A page of photos, of one album or of all."""
        shelf, album = self._community.photos[self._band(request, user_key)], _text(request, "photo_album_key")
        if album is not None:
            shelf = Shelf("photo_key", {k: row for k, row in shelf.rows.items() if row.get("photo_album_key") == album})
        return _page(request, shelf)

    def albums(self, request: Request, user_key: str) -> dict[str, Any]:
        """All albums; there are few."""
        items = self._community.albums(self._band(request, user_key))
        total = sum(item["photo_count"] for item in items)
        return {"paging": {"previous_params": None, "next_params": None}, "items": items, "total_photo_count": total}

    def _band(self, request: Request, user_key: str) -> str:
        key = _text(request, "band_key")
        if key is None:
            raise RefusalError(INSUFFICIENT)
        if key not in self._community.bands_of(user_key):
            raise RefusalError(NOT_A_MEMBER)
        return key


def _page(request: Request, shelf: Shelf) -> dict[str, Any]:
    limit = _number(request, "limit")
    count = _LIMIT if limit is None else min(limit, _MAX_LIMIT)
    if count < 1:
        raise RefusalError(INVALID)
    try:
        items, after = shelf.page(
            since_ms=_number(request, "updated_since"), after=_text(request, "after"), limit=count
        )
    except CursorError:
        raise RefusalError(INVALID) from None
    # What leads to the next page is all that was asked, but for the token: one more place where it could be read.
    asked = {name: value for name, value in request.query_params.items() if name != "access_token"}
    following = None if after is None else {**asked, "after": after}
    return {"paging": {"previous_params": None, "next_params": following}, "items": items}


def _text(request: Request, name: str) -> str | None:
    return request.query_params.get(name) or None


def _number(request: Request, name: str) -> int | None:
    text = _text(request, name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise RefusalError(INVALID)
    return int(text)


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""
