"""The stand-in of Band over HTTP: OAuth, paging, limits, faults."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.band.standin import BACK, CLIENT, LEADER, StandIn, start_band

VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
MEMBERS = "/v2/band/members"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """One for all tests."""
    with start_band(tmp_path_factory.mktemp("band"), "--bands", "2", "--members", "45", "--photos", "12") as band:
        yield band


@pytest.fixture
def band(running: StandIn) -> Iterator[StandIn]:
    """The same, calm again."""
    running.calm()
    yield running
    running.calm()


def every(band: StandIn, path: str, access: str, **query: Any) -> list[dict[str, Any]]:
    """All items, page by page."""
    items, following = [], dict(query)
    while following is not None:
        data = band.get(path, access, **following).json()["result_data"]
        items += data["items"]
        following = data["paging"]["next_params"]
    return items


def test_a_code_brings_tokens_once(band: StandIn) -> None:
    """With the fields that Band documents; the state comes back with the code."""
    back = band.agree(state="s 1&")
    assert back["state"] == "s 1&"
    form = {"grant_type": "authorization_code", "code": back["code"]}
    tokens = band.http.get("/oauth2/token", params=form, auth=CLIENT).json()  # as documented, in the query
    assert tokens["token_type"] == "bearer" and tokens["user_key"] == LEADER and tokens["expires_in"] > 3500
    assert band.get("/v2/profile", tokens["access_token"]).json()["result_data"]["user_key"] == LEADER
    again = band.token(**form)
    assert again.status_code == 400 and again.json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"code_verifier": "w" * 64}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_grant"),
        ({"redirect_uri": BACK + "/other"}, "invalid_grant"),
        ({"code": "guessed"}, "invalid_grant"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_what_does_not_fit_the_authorization_is_refused(band: StandIn, change: dict[str, str], error: str) -> None:
    """PKCE, the address, the code and the kind of grant are checked."""
    code = band.agree(code_challenge=CHALLENGE, code_challenge_method="S256")["code"]
    right = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER}
    answer = band.token(**{**right, **change})
    assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_pkce_lets_the_right_verifier_pass_and_plain_never(band: StandIn) -> None:
    """S256 only; a wrong secret of the app is a 401."""
    code = band.agree(code_challenge=CHALLENGE, code_challenge_method="S256")["code"]
    wrong = band.http.post("/oauth2/token", data={"grant_type": "x"}, auth=(CLIENT[0], "wrong"))
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    assert "access_token" in band.token(grant_type="authorization_code", code=code, code_verifier=VERIFIER).json()
    asked = {"response_type": "code", "client_id": CLIENT[0], "redirect_uri": BACK, "code_challenge": VERIFIER}
    assert band.http.get("/oauth2/authorize", params={**asked, "code_challenge_method": "plain"}).status_code == 400


def test_nobody_is_sent_to_an_address_that_is_not_the_apps(band: StandIn) -> None:
    """Another host, another scheme, another app: a page says so, without a redirect."""
    asked = {"response_type": "code", "client_id": CLIENT[0], "redirect_uri": BACK, "user_key": LEADER}
    for change in (
        {"redirect_uri": "http://elsewhere.example/back"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": "http://127.0.0.1@elsewhere.example/"},
        {"redirect_uri": ""},
        {"client_id": "other"},
        {"response_type": "token"},
    ):
        answer = band.http.get("/oauth2/authorize", params={**asked, **change})
        assert answer.status_code == 400 and "location" not in answer.headers
    assert band.agree(deny="1", state="s") == {"error": "access_denied", "state": "s"}


def test_the_page_asks_who_agrees_and_shows_nothing_unescaped(band: StandIn) -> None:
    """What came in the query is text on it."""
    asked = {"response_type": "code", "client_id": CLIENT[0], "redirect_uri": BACK, "state": '"><script>'}
    page = band.http.get("/oauth2/authorize", params=asked)
    assert page.status_code == 200 and f'value="{LEADER}"' in page.text
    assert "<script>" not in page.text


def test_a_refresh_token_works_once_and_revocation_ends_both(band: StandIn) -> None:
    """The old access token ends with the exchange."""
    old = band.signed_in()
    new = band.token(grant_type="refresh_token", refresh_token=old["refresh_token"]).json()
    assert band.get("/v2.1/bands", old["access_token"]).json()["result_code"] == 10401
    again = band.token(grant_type="refresh_token", refresh_token=old["refresh_token"])
    assert again.json()["error"] == "invalid_grant"
    assert band.get("/v2.1/bands", new["access_token"]).status_code == 200
    band.http.post("/oauth2/revoke", data={"token": new["refresh_token"]}, auth=CLIENT).raise_for_status()
    assert band.get("/v2.1/bands", new["access_token"]).status_code == 401


def test_pages_hold_what_the_ledger_holds(band: StandIn) -> None:
    """Members and photos; a client that has only the bearer header gets the same; next_params hold no token."""
    access = band.signed_in()["access_token"]
    listed = band.get("/v2.1/bands", access).json()["result_data"]["bands"]
    assert [row["band_key"] for row in listed] == ["band00"]
    truth = band.ledger()
    assert {row["user_key"]: row for row in every(band, MEMBERS, access, band_key="band00", limit=7)} == truth[
        "members"
    ]
    photos = every(band, "/v2/band/album/photos", access, band_key="band00", limit=100)
    assert {row["photo_key"]: row for row in photos} == truth["photos"]
    albums = every(band, "/v2/band/albums", access, band_key="band00")
    of_album = [
        every(band, "/v2/band/album/photos", access, band_key="band00", limit=3, photo_album_key=row["photo_album_key"])
        for row in albums
    ]
    assert [len(part) for part in of_album] == [row["photo_count"] for row in albums] and sum(map(len, of_album)) == 12
    header = {"authorization": f"Bearer {access}"}
    page = band.http.get(MEMBERS, params={"band_key": "band00", "limit": 5}, headers=header).json()
    assert page["result_code"] == 1 and access not in str(page["result_data"]["paging"])


def test_changes_since_a_moment_tell_of_removals(band: StandIn) -> None:
    """Those who joined and changed, and the keys of those who left, without anything else about them."""
    access = band.signed_in()["access_token"]
    before = band.ledger()["members"]
    since = max(row["updated_at"] for row in before.values()) + 1
    band.control(changes=[{"band_key": "band00", "join": 2, "leave": 3, "rename": 1}])
    changed = every(band, MEMBERS, access, band_key="band00", updated_since=since, limit=2)
    gone = [row for row in changed if row.get("removed")]
    assert len(changed) == 6 and len(gone) == 3
    assert all(set(row) == {"user_key", "removed", "updated_at"} for row in gone)
    assert {row["user_key"] for row in gone} == before.keys() - band.ledger()["members"].keys()


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "x"}, {"updated_since": "-1"}, {"after": "W10"}, {"limit": "٣"}]
)
def test_wrong_parameters_have_their_code(band: StandIn, query: dict[str, str]) -> None:
    """211, as documented."""
    answer = band.get(MEMBERS, band.signed_in()["access_token"], band_key="band00", **query)
    assert (answer.status_code, answer.json()["result_code"]) == (400, 211)


def test_other_bands_are_closed(band: StandIn) -> None:
    """60102 for a band that one is no member of, 212 for none at all."""
    access = band.signed_in()["access_token"]
    assert band.get(MEMBERS, access, band_key="band01").json()["result_code"] == 60102
    assert band.get(MEMBERS, access).json()["result_code"] == 212
    assert band.get(MEMBERS, "guessed", band_key="band00").json()["result_code"] == 10401


def test_too_many_calls_are_told_when_to_come_again(band: StandIn) -> None:
    """429 with Retry-After and the documented code; another token is not concerned."""
    access, other = band.signed_in()["access_token"], band.signed_in()["access_token"]
    band.control(rate=3, window_s=30)
    answers = [band.get("/v2.1/bands", access) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 30 and answers[-1].json()["result_code"] == 1003
    assert band.get("/v2.1/bands", other).status_code == 200


def test_faults_strike_as_often_as_was_asked(band: StandIn) -> None:
    """Each kind, on its path only; access tokens expire when told."""
    access = band.signed_in()["access_token"]
    kinds = ("fail", "throttle", "unauthorized", "malformed")
    band.control(faults=[{"path": MEMBERS, "kind": kind, "times": 1} for kind in kinds])
    assert band.get("/v2.1/bands", access).status_code == 200
    answers = [band.get(MEMBERS, access, band_key="band00") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [500, 429, 401, 200, 200]
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        answers[3].json()
    assert answers[4].json()["result_code"] == 1
    band.control(expire_tokens=True)
    assert band.get("/v2.1/bands", access).status_code == 401
    wrong = band.http.post("/_dbz/control", json={"faults": [{"path": "*", "kind": "earthquake", "times": 1}]})
    assert wrong.status_code == 400 and "throttle" in wrong.json()["error"]


def test_the_same_seed_makes_the_same_data(tmp_path: Path, band: StandIn) -> None:
    """Another process, another seed: other names."""
    with start_band(tmp_path, "--bands", "1", "--members", "5", "--photos", "2", "--seed", "7") as one:
        first = one.ledger()
    with start_band(tmp_path, "--bands", "1", "--members", "5", "--photos", "2", "--seed", "7") as other:
        assert other.ledger() == first
    assert first["members"] != dict(list(band.ledger("band01")["members"].items())[:5])


def test_a_taken_port_is_named(band: StandIn) -> None:
    """Exit code 3; it listens on loopback only."""
    port = str(httpx.URL(band.url).port)
    command = [sys.executable, "-m", "dbz.band", "--port", port]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 3 and f"127.0.0.1:{port}" in done.stderr and "Traceback" not in done.stderr
