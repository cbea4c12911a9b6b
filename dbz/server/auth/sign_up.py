"""Signing up: the route, which begins the saga and waits for it."""

from __future__ import annotations

import asyncio
import math
from typing import Annotated

from pydantic import AfterValidator, Field

from dbz.server.auth.passwords import Passwords
from dbz.server.auth.sign_up_steps import BandLinker, SignUpSteps
from dbz.server.core import Core
from dbz.server.http import Body, Call, Reply, Route
from dbz.server.http.errors import conflict, rate_limited
from dbz.server.http.schemas import STRING, record
from dbz.server.pacing.limits import RateLimits
from dbz.server.sagas import SagaRunner, StepRefusedError
from dbz.server.sagas.catalogue import SIGN_UP
from dbz.server.seams import Announcer
from dbz.server.values.email_address import checked_address
from dbz.server.values.ids import new_id

_WAIT_S = 5.0
_ANSWER = record(id=STRING, username=STRING, club_id=STRING, status=STRING)


class NewAccount(Body):
    """Body of a sign-up."""

    username: Annotated[str, Field(min_length=3, max_length=100, pattern=r"^[A-Za-z0-9._-]+$")]
    password: Annotated[str, Field(min_length=8, max_length=200)]
    name: Annotated[str, Field(min_length=1, max_length=100)]
    club_id: Annotated[str, Field(min_length=1, max_length=100)]
    band_code: Annotated[str, Field(max_length=500)] = ""
    """What the callback of a link with Band gave that was begun for this sign-up."""
    email: Annotated[str, AfterValidator(checked_address)] | None = None


class SignUp:
    """New members."""

    def __init__(self, core: Core, passwords: Passwords, sagas: SagaRunner, announcer: Announcer) -> None:
        auth = core.settings.auth
        self._passwords = passwords
        self._limits = RateLimits(core.redis, {"sign_up": auth.sign_up_rate})
        self._retry_after_s = math.ceil(auth.sign_up_rate.window_s)
        self._sagas = sagas
        self._steps = SignUpSteps(core, announcer)
        sagas.define(SIGN_UP, self._steps.actions)
        answers, refusals = {201: _ANSWER, 202: _ANSWER}, (409, 429)
        path = "/api/auth/sign-up"
        self.routes = (
            Route(
                "POST", path, self.create, "Sign up", body=NewAccount, public=True, answers=answers, refusals=refusals
            ),
        )

    def link_with(self, band: BandLinker) -> None:
        """Have new members linked with Band, if they ask for it; otherwise that step does nothing."""
        self._steps.band = band

    async def create(self, call: Call) -> Reply:
        """POST /api/auth/sign-up: 201 for a member, 202 when that takes longer."""
        body: NewAccount = await call.body()
        if not await self._limits.allows("sign_up", body.club_id):
            raise rate_limited("too many new members of this club; try again later", self._retry_after_s)
        password_hash = await self._passwords.hash(body.password)
        data = {**body.model_dump(exclude={"password"}), "user_id": new_id(), "password_hash": password_hash}
        saga = await self._sagas.begin(SIGN_UP, new_id(), body.club_id, data)
        try:
            rest = await self._sagas.first_step(saga)
        except StepRefusedError as error:
            raise conflict("sign_up_refused", str(error)) from None
        await asyncio.wait({rest}, timeout=_WAIT_S)
        if saga.undoing:
            raise conflict("sign_up_refused", saga.reason)
        status = "member" if saga.step == len(SIGN_UP.steps) else "pending"
        answer = {"id": data["user_id"], "username": body.username, "club_id": body.club_id, "status": status}
        return Reply(answer, 201 if status == "member" else 202)
