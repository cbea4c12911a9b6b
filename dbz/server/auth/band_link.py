"""Linking a user with Band: where he agrees, what Band sends him back with, and which band is the club's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http.cookies import CookieError, SimpleCookie
from typing import Annotated, Any

from pydantic import Field

from dbz.server.auth.band_sign_up import BandSignUps
from dbz.server.auth.band_states import STATE_S, BandStates, Begun
from dbz.server.auth.band_tokens import BandTokens
from dbz.server.auth.revocation import Revocations
from dbz.server.auth.tokens import Tokens
from dbz.server.auth.users import Users
from dbz.server.auth.vault import Vault
from dbz.server.band_api import BandApi, BandError, BandLinkError, BandThrottledError, BandUnauthorizedError
from dbz.server.band_api.asking import ask_as
from dbz.server.core import Core
from dbz.server.http import ApiError, Body, Call, Query, Reply, Route
from dbz.server.http.errors import conflict, forbidden, rate_limited
from dbz.server.http.schemas import BOOLEAN, INTEGER, MOMENT, STRING, TEXT_OR_NULL, record
from dbz.server.pacing.limits import RateLimits
from dbz.server.seams import BandClub, BandToken
from dbz.server.settings import Rate
from dbz.server.values.clock import iso
from dbz.server.values.identity import Identity

_COOKIE, _PATH = "band_link", "/api/auth/band"
_RATE = Rate(limit=20, window_s=60)
_STRANGERS_RATE = Rate(limit=600, window_s=60)
"""Of all who have no account yet, together."""
_BAND = record(band_key=STRING, name=STRING, member_count=INTEGER)
_LINK = record(
    linked=BOOLEAN, ended=BOOLEAN, band_user=TEXT_OR_NULL, linked_at=MOMENT, expires_at=MOMENT, band=TEXT_OR_NULL
)


class Returned(Query):
    """What Band sends the browser back with."""

    code: str = Field(default="", max_length=1000)
    state: str = Field(default="", max_length=200)
    error: str = Field(default="", max_length=200)


class Chosen(Body):
    """Body that names the club's band."""

    band_key: Annotated[str, Field(min_length=1, max_length=200)]


class BandLink:
    """Routes of the link; answers `BandAccess`."""

    def __init__(self, core: Core, users: Users, tokens: Tokens, revocations: Revocations) -> None:
        settings = core.settings
        vault = Vault(settings.band_token_keys)
        self.api = BandApi(settings.band, settings.band_client_secret, core.figures)
        self._stored = BandTokens(core, self.api, vault)
        self._states = BandStates(core.redis, vault)
        self._users, self._tokens, self._revocations = users, tokens, revocations
        self.sign_ups = BandSignUps(core.redis, vault, self.api, self._stored)
        self._limits = RateLimits(core.redis, {"band_link": _RATE, "band_sign_up": _STRANGERS_RATE})
        self._secure = "; Secure" if settings.band.redirect_uri.startswith("https:") else ""
        bands = {"type": "array", "items": _BAND}
        linked = record(linked=BOOLEAN, band=TEXT_OR_NULL, bands=bands, band_code=STRING)
        self.routes = (
            Route("GET", f"{_PATH}/start", self.begin, "Send the reader to Band", cacheable=False,
                  answers={302: record(url=STRING)}, refusals=(429,)),
            Route("GET", f"{_PATH}/sign-up", self.begin_sign_up, "Send somebody who signs up to Band", public=True,
                  cacheable=False, answers={302: record(url=STRING)}, refusals=(429,)),
            Route("GET", f"{_PATH}/callback", self.callback, "Where Band sends readers back", query=Returned,
                  public=True, cacheable=False, answers={200: linked}, refusals=(400, 403, 409, 502)),
            Route("GET", _PATH, self.show, "The reader's link with Band", cacheable=False, answers={200: _LINK}),
            Route("PUT", _PATH, self.choose, "Choose the club's band", body=Chosen, answers={200: _LINK},
                  refusals=(409, 502)),
            Route("DELETE", _PATH, self.end, "End the link with Band", answers={200: record(ended=INTEGER)}),
        )  # fmt: skip

    async def close(self) -> None:
        """Let go of the connections to Band."""
        await self.api.close()

    def clubs(self) -> AsyncIterator[BandClub]:
        """See `BandAccess`."""
        return self._users.band_clubs()

    async def club(self, club_id: str) -> BandClub | None:
        """See `BandAccess`."""
        return await self._users.band_club(club_id)

    async def token(self, user_id: str, refused: int = -1) -> BandToken:
        """See `BandAccess`."""
        return await self._stored.token(user_id, refused)

    async def begin(self, call: Call) -> Reply:
        """GET /api/auth/band/start: to Band, with a state that only this session or browser can come back with."""
        if not await self._limits.allows("band_link", call.reader.user_id):
            raise _too_many()
        return await self._sent_to_band(call.reader)

    async def begin_sign_up(self, _: Call) -> Reply:
        """GET /api/auth/band/sign-up: the same for a browser whose user has no account yet."""
        if not await self._limits.allows("band_sign_up", ""):
            raise _too_many()
        return await self._sent_to_band(None)

    async def _sent_to_band(self, reader: Identity | None) -> Reply:
        state, challenge, cookie = await self._states.begin(reader)
        url = self.api.authorize_url(state, challenge)
        kept = f"{_COOKIE}={cookie}; Path={_PATH}; Max-Age={STATE_S}; HttpOnly; SameSite=Lax{self._secure}"
        headers = ((b"location", url.encode()), (b"set-cookie", kept.encode()), (b"referrer-policy", b"no-referrer"))
        return Reply({"url": url}, 302, headers)

    async def callback(self, call: Call) -> Reply:
        """GET /api/auth/band/callback: the code becomes tokens if whoever brings it is the one who began.

        For somebody who signs up it becomes a `band_code`, which the sign-up hands in.
        """
        returned: Returned = call.query
        begun = await self._states.take(returned.state) if returned.state else None
        if begun is None:
            raise ApiError(400, "state_unknown", "this link was not begun here, is used, or is too old; begin again")
        self._check_bringer(call, begun)
        if not begun.user_id:
            self._check_code(returned)
            voucher = await self.sign_ups.voucher(returned.code, begun.verifier)
            return self._linked({"linked": False, "band": None, "bands": [], "band_code": voucher})
        user = await self._users.by_id(begun.user_id)
        if begun.session_id in self._revocations or user is None:
            raise ApiError(403, "session_ended", "the session in which this link was begun has ended; log in again")
        self._check_code(returned)
        try:
            answer = await self.api.exchange(returned.code, begun.verifier)
            bands = await self.api.bands(answer["access_token"])
        except BandError as error:
            raise _as_api_error(error) from None
        await self._stored.keep(user["_id"], answer)
        if user["role"] == "admin" and len(bands) == 1:
            await self._users.link_band(user["club_id"], bands[0]["band_key"], user["_id"])
        club = await self._users.band_club(user["club_id"])
        listed = [{key: row.get(key) for key in ("band_key", "name", "member_count")} for row in bands]
        return self._linked({"linked": True, "band": club.band_key if club else None, "bands": listed})

    def _linked(self, answer: dict[str, Any]) -> Reply:
        gone = f"{_COOKIE}=; Path={_PATH}; Max-Age=0; HttpOnly; SameSite=Lax{self._secure}"
        return Reply(answer, 200, ((b"set-cookie", gone.encode()), (b"referrer-policy", b"no-referrer")))

    def _check_code(self, returned: Returned) -> None:
        if returned.error or not returned.code:
            raise ApiError(400, "band_refused", "Band gave no code: the link was refused there; begin again")

    def _check_bringer(self, call: Call, begun: Begun) -> None:
        """Else somebody could have his own Band linked with another's account, or the other way round."""
        if begun.user_id and b"authorization" in call.headers:
            if self._tokens.authenticate(call.headers).session_id == begun.session_id:
                return
        elif begun.is_browser(_cookie(call)):
            return
        raise ApiError(403, "not_begun_by_you", "another session or browser began this link; begin again in this one")

    async def show(self, call: Call) -> Reply:
        """GET /api/auth/band."""
        return Reply(await self._shown(call))

    async def choose(self, call: Call) -> Reply:
        """PUT /api/auth/band {band_key}: from which band the club's members and photos come."""
        body: Chosen = await call.body()
        if not call.reader.is_admin:
            raise forbidden("only an admin may choose the club's band")
        try:
            bands = await ask_as(self, call.reader.user_id, self.api.bands)
        except BandError as error:
            raise _as_api_error(error) from None
        if body.band_key not in {row["band_key"] for row in bands}:
            raise conflict("not_your_band", "your link with Band does not lead to this band")
        await self._users.link_band(call.reader.club_id, body.band_key, call.reader.user_id)
        return Reply(await self._shown(call))

    async def end(self, call: Call) -> Reply:
        """DELETE /api/auth/band: revoked at Band, and nothing of it left here; a club that it led to is not linked."""
        await self._users.unlink_band(call.reader.club_id, call.reader.user_id)
        return Reply({"ended": int(await self._stored.forget(call.reader.user_id))})

    async def _shown(self, call: Call) -> dict[str, Any]:
        row = await self._stored.row(call.reader.user_id) or {}
        club = await self._users.band_club(call.reader.club_id)
        return {
            "linked": bool(row) and not row["ended"],
            "ended": bool(row.get("ended")),
            "band_user": row.get("band_user"),
            "linked_at": iso(row.get("linked_at")),
            "expires_at": iso(row.get("expires_at")),
            "band": club.band_key if club else None,
        }


def _too_many() -> ApiError:
    return rate_limited("too many links begun; try again in a minute", int(_RATE.window_s))


def _cookie(call: Call) -> str:
    try:
        morsel = SimpleCookie(call.headers.get(b"cookie", b"").decode("latin-1")).get(_COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def _as_api_error(error: BandError) -> ApiError:
    if isinstance(error, BandThrottledError):
        return ApiError(503, "band_busy", str(error), retry_after_s=max(1, int(error.retry_after_s)))
    if isinstance(error, BandLinkError | BandUnauthorizedError):
        return conflict("band_link_ended", str(error))
    return ApiError(502, "band_unavailable", str(error))
