"""Routes and background work of auth."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pymongo import ASCENDING, IndexModel

from dbz.background import end
from dbz.server.auth.band_link import BandLink
from dbz.server.auth.passwords import Passwords
from dbz.server.auth.revocation import Revocations
from dbz.server.auth.sessions import Sessions
from dbz.server.auth.sign_up import SignUp
from dbz.server.auth.tokens import Tokens, unauthorized
from dbz.server.auth.users import Users
from dbz.server.core import Core
from dbz.server.http import Body, Call, Fields, Reply, Route
from dbz.server.http.errors import forbidden, not_found, rate_limited
from dbz.server.http.pages import Page
from dbz.server.http.schemas import CLUB, MEMBER, TEXT_OR_NULL, TOKENS, listed, record
from dbz.server.pacing.limits import RateLimits
from dbz.server.pacing.waiting_line import WaitingLine
from dbz.server.seams import EventHandler, Indexes
from dbz.server.values.email_address import checked_address


class Login(Body):
    """Body of a login."""

    username: Annotated[str, Field(min_length=1, max_length=100)]
    password: Annotated[str, Field(min_length=1, max_length=200)]


class Refresh(Body):
    """Body of a refresh."""

    refresh_token: Annotated[str, Field(min_length=1, max_length=4000)]


class Logout(Body):
    """Body of a logout; `everywhere` ends all sessions of the user."""

    everywhere: bool = False


class EmailAddress(Body):
    """Body with the e-mail address of an account; null for none."""

    email: Annotated[str, AfterValidator(checked_address)] | None


_EMAIL = {200: record(email=TEXT_OR_NULL)}

INDEXES = (
    Indexes(
        "users",
        (IndexModel([("username", ASCENDING)], unique=True), IndexModel([("club_id", ASCENDING), ("_id", ASCENDING)])),
        shared=True,
    ),
    Indexes(
        "sessions",
        (
            IndexModel([("user_id", ASCENDING)]),
            IndexModel([("revoked_at", ASCENDING)]),
            IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0),
        ),
        shared=True,
    ),
)


class AuthService:
    """Login, sessions, members and clubs, and signing up."""

    name = "auth"
    indexes = INDEXES

    def __init__(self, core: Core, secret: str, passwords: Passwords, sign_up: SignUp) -> None:
        auth = core.settings.auth
        self._passwords = passwords
        busy = "too many sign in at the same time; try again shortly"
        line = auth.logins_at_once, auth.logins_waiting, core.settings.stores.timeout_s
        self._turns = WaitingLine(*line, "sign_ins_busy", busy)
        self.revocations = Revocations(keep_s=auth.access_ttl_s + 60)
        self.tokens = Tokens(secret, auth.access_ttl_s, auth.refresh_ttl_s, self.revocations)
        self.sessions = Sessions(core, self.tokens, self.revocations)
        self._users = Users(core)
        self._limits = RateLimits(core.redis, {"login": auth.login_rate, "failed_login": auth.failed_login_rate})
        has_band = bool(core.settings.band.url)
        self.band = BandLink(core, self._users, self.tokens, self.revocations) if has_band else None
        if self.band:
            sign_up.link_with(self.band.sign_ups)
        self._retry_after_s = math.ceil(auth.failed_login_rate.window_s)
        self._tasks: list[asyncio.Task[None]] = []
        self.events: dict[str, EventHandler] = {}
        self.routes = (
            Route(
                "POST",
                "/api/auth/login",
                self.login,
                "Log in",
                body=Login,
                public=True,
                answers={200: TOKENS},
                refusals=(429,),
            ),
            Route(
                "POST",
                "/api/auth/refresh",
                self.refresh,
                "Renew tokens",
                body=Refresh,
                public=True,
                answers={200: TOKENS},
            ),
            Route("POST", "/api/auth/logout", self.logout, "End the session", body=Logout),
            Route("GET", "/api/me", self.me, "The reader", query=Fields, answers={200: MEMBER}),
            Route("GET", "/api/me/email", self.email, "My e-mail address", answers=_EMAIL, cacheable=False),
            Route("PUT", "/api/me/email", self.change_email, "Set or remove it", body=EmailAddress, answers=_EMAIL),
            Route("GET", "/api/clubs/{club_id}", self.club, "A club", query=Fields, answers={200: CLUB}),
            Route(
                "GET",
                "/api/clubs/{club_id}/members",
                self.members,
                "Members",
                query=Page,
                answers={200: listed(MEMBER)},
            ),
            *(self.band.routes if self.band else ()),
            *sign_up.routes,
        )

    async def start(self) -> None:
        """Follow the sessions that other processes end."""
        self._tasks = [asyncio.create_task(self.sessions.listen()), asyncio.create_task(self.sessions.poll())]

    async def stop(self) -> None:
        """Stop following."""
        await end(self._tasks)
        self._passwords.stop()
        if self.band:
            await self.band.close()

    async def profiles(self, user_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """See `Profiles`."""
        return await self._users.profiles(user_ids)

    async def club_of(self, user_id: str) -> str | None:
        """See `Members`."""
        return await self._users.club_of(user_id)

    async def of_club(self, club_id: str) -> list[str]:
        """See `Members`."""
        return await self._users.of_club(club_id)

    async def address_of(self, user_id: str) -> str | None:
        """See `Members`."""
        return await self._users.address_of(user_id)

    async def email(self, call: Call) -> Reply:
        """GET /api/me/email."""
        return Reply({"email": await self._users.address_of(call.reader.user_id)})

    async def change_email(self, call: Call) -> Reply:
        """PUT /api/me/email {email}: null for none."""
        body: EmailAddress = await call.body()
        await self._users.set_address(call.reader.user_id, body.email)
        return Reply({"email": body.email})

    async def login(self, call: Call) -> Reply:
        """POST /api/auth/login."""
        body: Login = await call.body()
        name = body.username
        if not await self._limits.allows("login", name, unless_spent="failed_login"):
            raise rate_limited("too many logins with this user name; try again later", self._retry_after_s)
        # Few at a time: a crowd that signs in would take the stores' connections from everybody who is in already.
        async with self._turns.turn(name):
            user = await self._users.by_name(name)
            if not await self._passwords.verify(body.password, user["password_hash"] if user else None) or not user:
                await self._limits.allows("failed_login", name)
                raise unauthorized("the user name or the password is wrong")
            if user.get("pending"):
                raise unauthorized("this account is not ready yet; try again in a moment")
            return Reply(await self.sessions.open(user))

    async def refresh(self, call: Call) -> Reply:
        """POST /api/auth/refresh."""
        body: Refresh = await call.body()
        claims = self.tokens.read_refresh(body.refresh_token)
        return Reply(await self.sessions.renew(claims, self._users.by_id))

    async def logout(self, call: Call) -> Reply:
        """POST /api/auth/logout."""
        body: Logout = await call.body()
        if body.everywhere:
            return Reply({"ended": await self.sessions.end_all(call.reader.user_id)})
        await self.sessions.end(call.reader.session_id)
        return Reply({"ended": 1})

    async def me(self, call: Call) -> Reply:
        """GET /api/me."""
        user_id = call.reader.user_id
        profile = (await self._users.profiles([user_id])).get(user_id)
        if profile is None:
            raise unauthorized("the user no longer exists")
        return Reply(profile)

    async def club(self, call: Call) -> Reply:
        """GET /api/clubs/{club_id}."""
        club = await self._users.club(_own_club(call))
        if club is None:
            raise not_found("club")
        return Reply(club)

    async def members(self, call: Call) -> Reply:
        """GET /api/clubs/{club_id}/members."""
        return Reply(await self._users.members(_own_club(call), call.query))


def _own_club(call: Call) -> str:
    if call.path["club_id"] != call.reader.club_id:
        raise forbidden("only members may see a club")
    return call.reader.club_id
