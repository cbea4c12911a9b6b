"""Linking users with Band: who may bring a code back, how tokens are renewed, kept and ended."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import httpx
import pytest

from tests.band.standin import LEADER
from tests.children.forked import run_module
from tests.server.backend import Backend
from tests.server.band.stage import ADMIN, CALLBACK, KEYS, Stage, agreed, band_code, begin, link
from tests.server.clients import SignIn, User

pytestmark = pytest.mark.anyio
OTHER_ADMIN = "user0399"


@pytest.fixture(autouse=True)
def _calm(stage: Stage) -> None:
    stage.band.calm()


async def choose(user: User, band_key: str = "band00") -> httpx.Response:
    """The admin chooses the club's band: a call that needs an access token of Band."""
    return await user.http.put("/api/auth/band", json={"band_key": band_key})


def row(stage: Stage, user_id: str = ADMIN) -> dict[str, Any]:
    """What is stored of a user's link."""
    found: dict[str, Any] = stage.store["tokens"].find_one({"_id": user_id})
    return found


async def test_an_admin_links_the_club_with_his_only_band(sign_in: SignIn) -> None:
    """From an app, with its access token; the answer names the bands, and the link can be looked at."""
    admin = await sign_in(ADMIN)
    answer = await link(admin)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "linked": True,
        "band": "band00",
        "bands": [{"band_key": "band00", "name": "Badminton band 1", "member_count": 150}],
    }
    shown = (await admin.get("/api/auth/band")).json()
    assert (shown["linked"], shown["ended"], shown["band_user"], shown["band"]) == (True, False, LEADER, "band00")


async def test_a_browser_comes_back_with_its_cookie(sign_in: SignIn, banded: Backend) -> None:
    """It has no access token; members link themselves, and choose no band for the club."""
    member = await sign_in("user0007")
    url, cookie = await begin(member)
    assert cookie.startswith("band_link=")
    async with httpx.AsyncClient(base_url=banded.url, timeout=60) as browser:
        back = await agreed(url, "band00-u00007")
        answer = await browser.get(CALLBACK, params=back, headers={"cookie": f"other=1; {cookie}"})
        assert answer.status_code == 200 and "Max-Age=0" in answer.headers["set-cookie"]
        again = await browser.get(CALLBACK, params=back, headers={"cookie": cookie})
    assert (again.status_code, again.json()["error"]["code"]) == (400, "state_unknown")
    assert (await choose(member)).status_code == 403


async def test_nobody_else_can_bring_a_code_back(sign_in: SignIn, banded: Backend) -> None:
    """Neither another session of the same user, nor another user, nor another browser; and a try uses the state up."""
    admin = await sign_in(ADMIN)
    same_user, other = await sign_in(ADMIN), await sign_in(OTHER_ADMIN)
    _, cookie_of_other = await begin(other)
    async with httpx.AsyncClient(base_url=banded.url, timeout=60) as browser:
        for client, headers in (
            (same_user.http, {}),
            (other.http, {}),
            (browser, {}),
            (browser, {"cookie": cookie_of_other}),
            (browser, {"cookie": 'band_link="; ;;="'}),
        ):
            url, cookie = await begin(admin)
            back = await agreed(url)
            answer = await client.get(CALLBACK, params=back, headers=headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_begun_by_you")
            late = await browser.get(CALLBACK, params=back, headers={"cookie": cookie})
            assert late.json()["error"]["code"] == "state_unknown"
        for query in ({}, {"code": "x"}, {"code": "x", "state": "guessed"}):
            answer = await browser.get(CALLBACK, params=query)
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "state_unknown")


async def test_who_signs_up_is_linked_with_band(stage: Stage, banded: Backend) -> None:
    """Although Band fails once; the code is good for one account, and for nobody who did not begin."""
    body = {"password": "long enough", "name": "New", "club_id": "club00"}
    async with httpx.AsyncClient(base_url=banded.url, timeout=20) as http:
        sent = await http.get("/api/auth/band/sign-up")
        back = await agreed(sent.headers["location"], "band00-u00021")
        http.cookies.clear()
        stolen = await http.get(CALLBACK, params=back)
        assert (stolen.status_code, stolen.json()["error"]["code"]) == (403, "not_begun_by_you")
        code = await band_code(http, "band00-u00021")
        assert code not in stage.everything_stored()
        stage.band.control(faults=[{"path": "/oauth2/token", "kind": "fail", "times": 1}])
        made = await http.post("/api/auth/sign-up", json={**body, "username": "with-band", "band_code": code})
        assert made.status_code == 201, made.text
        linked = row(stage, made.json()["id"])
        assert (linked["band_user"], linked["ended"]) == ("band00-u00021", False)
        for number, used in enumerate((code, "guessed")):
            again = {**body, "username": f"with-band-{number}", "band_code": used}
            answer = await http.post("/api/auth/sign-up", json=again)
            assert answer.status_code == 201 and row(stage, answer.json()["id"]) is None, "a member without a link"
        denied = await http.get("/api/auth/band/sign-up")
        async with httpx.AsyncClient() as browser:
            refused = await browser.get(f"{denied.headers['location']}&deny=1")
        told = await http.get(CALLBACK, params=httpx.URL(refused.headers["location"]).params)
        assert (told.status_code, told.json()["error"]["code"]) == (400, "band_refused")


async def test_a_refusal_and_a_session_that_ended_make_no_link(sign_in: SignIn, stage: Stage, banded: Backend) -> None:
    """The user says no at Band; he logs out before he comes back; the code is one of nobody."""
    user = await sign_in("user0009")
    url, _ = await begin(user)
    async with httpx.AsyncClient(timeout=60) as browser:
        denied = await browser.get(f"{url}&deny=1")
    answer = await user.get(CALLBACK, params=httpx.URL(denied.headers["location"]).params)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "band_refused")
    url, _ = await begin(user)
    guessed = await user.get(CALLBACK, params={**await agreed(url), "code": "guessed"})
    assert (guessed.status_code, guessed.json()["error"]["code"]) == (409, "band_link_ended")
    url, cookie = await begin(user)
    back = await agreed(url)
    await user.post("/api/auth/logout", {})
    await asyncio.sleep(0.2)  # the other process hears of it
    async with httpx.AsyncClient(base_url=banded.url, timeout=60) as browser:
        answer = await browser.get(CALLBACK, params=back, headers={"cookie": cookie})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "session_ended")
    assert stage.store["tokens"].find_one({"_id": "user0009"}) is None


async def test_one_process_renews_a_token_that_is_about_to_expire(sign_in: SignIn, stage: Stage) -> None:
    """Band takes a refresh token once: twenty calls over two processes would end the link if each renewed."""
    admin = await sign_in(ADMIN)
    stage.band.control(access_ttl_s=100)
    await link(admin)
    before = row(stage)
    stage.band.control(access_ttl_s=3600)
    answers = await asyncio.gather(*(choose(admin) for _ in range(20)))
    assert [answer.status_code for answer in answers] == [200] * 20
    after = row(stage)
    assert after["version"] == before["version"] + 1 and after["expires_at"] > before["expires_at"]
    # Expired before its time: Band says so, and it is renewed too.
    stage.band.control(expire_tokens=True)
    answers = await asyncio.gather(*(choose(admin) for _ in range(20)))
    assert [answer.status_code for answer in answers] == [200] * 20
    assert row(stage)["version"] == after["version"] + 1


async def test_a_grant_that_band_ended_is_told(sign_in: SignIn, stage: Stage) -> None:
    """409, and what to do; linking again heals it."""
    admin = await sign_in(OTHER_ADMIN)
    known = set(stage.band.issued())
    await link(admin, "band01-u00000")
    for token in set(stage.band.issued()) - known:
        stage.band.http.post("/oauth2/revoke", data={"token": token}, auth=("dbz-demo", "band-demo-secret"))
    answer = await choose(admin, "band01")
    assert answer.status_code == 409 and "link Band again" in answer.json()["error"]["message"]
    shown = (await admin.get("/api/auth/band")).json()
    assert (shown["linked"], shown["ended"]) == (False, True)
    assert (await link(admin, "band01-u00000")).status_code == 200
    assert (await choose(admin, "band01")).status_code == 200
    assert (await choose(admin, "band02")).json()["error"]["code"] == "not_your_band"


async def test_ending_the_link_revokes_it_at_band(sign_in: SignIn, stage: Stage) -> None:
    """No token of it opens anything, nothing of it is left, and the club has no band."""
    admin = await sign_in(ADMIN)
    known = set(stage.band.issued())
    await link(admin)
    assert (await admin.http.delete("/api/auth/band")).json() == {"ended": 1}
    assert (await admin.http.delete("/api/auth/band")).json() == {"ended": 0}
    for token in set(stage.band.issued()) - known:
        assert stage.band.get("/v2.1/bands", token).status_code == 401
        assert stage.band.token(grant_type="refresh_token", refresh_token=token).status_code == 400
    assert row(stage) is None
    assert (await admin.get("/api/auth/band")).json()["band"] is None
    assert (await choose(admin)).json()["error"]["code"] == "band_link_ended"


async def test_a_band_that_fails_is_told_and_loses_nothing(sign_in: SignIn, stage: Stage) -> None:
    """502 for a Band that fails or talks nonsense, 503 with Retry-After for one that is busy."""
    admin = await sign_in(ADMIN)
    await link(admin)
    for kind, status in (("fail", 502), ("malformed", 502), ("shapeless", 502), ("throttle", 503)):
        stage.band.control(faults=[{"path": "/v2.1/bands", "kind": kind, "times": 1, "seconds": 7}])
        answer = await choose(admin)
        assert answer.status_code == status, (kind, answer.text)
    assert answer.headers["retry-after"] == "7"
    assert (await choose(admin)).status_code == 200


async def test_tokens_are_sealed_anew_when_there_is_a_new_key(sign_in: SignIn, stage: Stage) -> None:
    """A server with a new key before the old one reads the old row and replaces it; then the old key may go."""
    admin = await sign_in(ADMIN)
    await link(admin)
    assert row(stage)["access"].startswith("k1.")
    child, backend = stage.server(keys=f"{KEYS['k2']},{KEYS['k1']}")
    with child:
        async with httpx.AsyncClient(base_url=backend.url, headers=admin.http.headers, timeout=60) as http:
            body = {"band_key": "band00"}
            assert (await http.put("/api/auth/band", json=body)).status_code == 200
            assert row(stage)["access"].startswith("k2.") and row(stage)["refresh"].startswith("k2.")
            assert (await http.put("/api/auth/band", json=body)).status_code == 200
    unreadable = await choose(admin)  # the server that has the old key only
    assert unreadable.status_code == 409 and "BAND_TOKEN_KEYS" in unreadable.json()["error"]["message"]
    assert (await link(admin)).status_code == 200


async def test_no_token_is_in_a_log_a_cache_or_a_store(sign_in: SignIn, stage: Stage, banded: Backend) -> None:
    """Of all codes and tokens that Band ever gave out, after renewals, faults and refusals; nor the app's secret."""
    admin = await sign_in(ADMIN)
    await link(admin)
    for kind in ("fail", "malformed", "unauthorized", "throttle"):
        stage.band.control(faults=[{"path": "*", "kind": kind, "times": 1}])
        await choose(admin)
    await begin(admin)  # one that stays begun
    written = stage.everything_stored() + "".join(path.read_text() for path in stage.folder.glob("server-*.log"))
    assert '"level":"debug"' in written or '"level":"info"' in written
    assert ADMIN in written and "band:state:" in written
    secrets = [*stage.band.issued(), "band-demo-secret", *(key.partition(":")[2] for key in KEYS.values())]
    assert len(secrets) > 5
    assert [secret for secret in secrets if secret in written] == []


def test_a_server_without_all_that_band_needs_does_not_start(stage: Stage) -> None:
    """Everything that is missing is named at once, keys are not repeated, and a URL in the clear is refused."""
    base = {**os.environ, "BAND_URL": stage.band.url}
    full = {**os.environ, **stage.environment()}
    for environment, said, *options in (
        (base, "BAND_CLIENT_ID, BAND_REDIRECT_URI, BAND_CLIENT_SECRET, BAND_TOKEN_KEYS"),
        ({**full, "BAND_TOKEN_KEYS": "k1:hunter2"}, "BAND_TOKEN_KEYS"),
        ({**full, "BAND_URL": "http://band.example"}, "https://"),
        ({**os.environ}, "synchronises with Band, and there is none", "--services", "band_sync"),
    ):
        done = run_module("dbz.server.__main__", "--port", "1", *options, environment=environment)
        assert done.returncode == 2 and said in done.stderr, done.stderr
        assert "hunter2" not in done.stderr and "Traceback" not in done.stderr
