"""What the stand-in of push providers refuses: each with the status and the reason that Apple and Google document.

APNs: "Handling notification responses from APNs". FCM: the error codes of its REST API; logging in: RFC 7523, RFC 6749.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest

from tests.push.standin import PushStandIn, start_push

TOKEN = "ab" * 32
PAYLOAD = json.dumps({"aps": {"alert": {"title": "Rally", "body": "begins"}}})


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PushStandIn]:
    with start_push(tmp_path_factory.mktemp("push")) as running:
        yield running


@pytest.fixture(scope="module")
def given(stand_in: PushStandIn) -> dict[str, str]:
    return stand_in.environment()


@pytest.fixture(scope="module")
def http2(stand_in: PushStandIn) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stand_in.url, http1=False, http2=True, timeout=60) as http:
        yield http


def provider_token(given: dict[str, str], *, age_s: float = 0, key_id: str = "", **claims: Any) -> str:
    claims = {"iss": given["PUSH_APNS_TEAM_ID"], "iat": int(time.time() - age_s), **claims}
    head = {"kid": key_id or given["PUSH_APNS_KEY_ID"]}
    return jwt.encode(claims, given["PUSH_APNS_KEY"], algorithm="ES256", headers=head)


def apns(http: httpx.Client, given: dict[str, str], token: str = TOKEN, body: str = PAYLOAD, **headers: str) -> Any:
    """Push with good headers but for these, of which an empty one is left out; the answer."""
    good = {
        "authorization": f"bearer {provider_token(given)}",
        "apns-topic": given["PUSH_APNS_TOPIC"],
        "apns-push-type": "alert",
    }
    changed = good | {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {name: value for name, value in changed.items() if value}
    return http.post(f"/3/device/{token}", content=body.encode(), headers=sent)


@pytest.mark.parametrize(
    ("changed", "status", "reason"),
    [
        ({"apns_topic": ""}, 400, "MissingTopic"),
        ({"apns_topic": "com.example.other"}, 400, "DeviceTokenNotForTopic"),
        ({"apns_push_type": "postcard"}, 400, "InvalidPushType"),
        ({"apns_priority": "7"}, 400, "BadPriority"),
        ({"apns_collapse_id": "x" * 65}, 400, "BadCollapseId"),
        ({"apns_expiration": "tomorrow"}, 400, "BadExpirationDate"),
        ({"apns_expiration": "-1"}, 400, "BadExpirationDate"),
        ({"apns_id": "no-uuid"}, 400, "BadMessageId"),
        ({"token": "ab" * 31}, 400, "BadDeviceToken"),
        ({"token": "xy" * 32}, 400, "BadDeviceToken"),
        ({"body": ""}, 400, "PayloadEmpty"),
        ({"body": json.dumps({"aps": {"alert": "x" * 4096}})}, 413, "PayloadTooLarge"),
        ({"authorization": ""}, 403, "MissingProviderToken"),
        ({"authorization": "bearer nonsense"}, 403, "InvalidProviderToken"),
    ],
)
def test_apns_refuses_with_its_reason(
    stand_in: PushStandIn, http2: httpx.Client, given: dict[str, str], changed: dict[str, str], status: int, reason: str
) -> None:
    before = len(stand_in.received())
    answer = apns(http2, given, **changed)
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    assert len(stand_in.received()) == before


def test_apns_takes_provider_tokens_of_the_last_hour_of_its_team_and_key_only(
    http2: httpx.Client, given: dict[str, str]
) -> None:
    for claims, reason in (
        ({"age_s": 3700}, "ExpiredProviderToken"),
        ({"age_s": -3600}, "InvalidProviderToken"),
        ({"iss": "OTHERTEAM1"}, "InvalidProviderToken"),
        ({"key_id": "OTHERKEY01"}, "InvalidProviderToken"),
        ({"iat": "noon"}, "InvalidProviderToken"),
    ):
        answer = apns(http2, given, authorization=f"bearer {provider_token(given, **claims)}")
        assert (answer.status_code, answer.json()["reason"]) == (403, reason), claims


def test_apns_answers_a_good_push_and_needs_http_2(stand_in: PushStandIn, given: dict[str, str]) -> None:
    with httpx.Client(base_url=stand_in.url, http1=False, http2=True, timeout=60) as http:
        answer = apns(http, given, apns_priority="5", apns_collapse_id="x" * 64, apns_expiration="0")
    assert (answer.status_code, answer.content, bool(answer.headers["apns-id"])) == (200, b"", True)
    assert stand_in.received(TOKEN)[-1]["title"] == "Rally"
    answer = apns(stand_in.http, given)
    assert (answer.status_code, answer.json()["reason"]) == (505, "HttpVersionNotSupported")


def assertion(given: dict[str, str], **claims: Any) -> str:
    """A signed assertion of the service account with these claims instead of good ones."""
    account = json.loads(given["PUSH_FCM_CREDENTIALS"])
    now = int(time.time())
    good = {
        "iss": account["client_email"],
        "scope": "https://www.googleapis.com/auth/firebase.messaging",
        "aud": account["token_uri"],
        "iat": now,
        "exp": now + 3600,
    }
    return jwt.encode(good | claims, account["private_key"], algorithm="RS256")


def granted(http: httpx.Client, signed: str, kind: str = "urn:ietf:params:oauth:grant-type:jwt-bearer") -> Any:
    return http.post("/token", data={"grant_type": kind, "assertion": signed})


def test_fcm_grants_access_to_its_account_only(stand_in: PushStandIn, given: dict[str, str]) -> None:
    assert granted(stand_in.http, assertion(given)).json()["token_type"] == "Bearer"
    answer = granted(stand_in.http, assertion(given), kind="password")
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")
    for claims in ({"iss": "somebody@else"}, {"scope": "mail"}, {"aud": "https://elsewhere"}, {"exp": 1}):
        answer = granted(stand_in.http, assertion(given, **claims))
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant"), claims
        assert answer.json()["error_description"]


def fcm(stand_in: PushStandIn, given: dict[str, str], message: Any, project: str = "", access: str = "") -> Any:
    """Push; the answer."""
    access = access or granted(stand_in.http, assertion(given)).json()["access_token"]
    project = project or json.loads(given["PUSH_FCM_CREDENTIALS"])["project_id"]
    return stand_in.http.post(
        f"/v1/projects/{project}/messages:send",
        content=message if isinstance(message, str) else json.dumps({"message": message}),
        headers={"authorization": f"Bearer {access}"},
    )


GOOD = {"token": "t" * 40, "notification": {"title": "Rally", "body": "begins"}}


@pytest.mark.parametrize(
    "message",
    [
        "no json", "[]", {**GOOD, "token": ""}, {**GOOD, "token": 7}, {"notification": {}}, {**GOOD, "data": {"n": 1}},
        {**GOOD, "data": ["x"]}, {**GOOD, "android": {"ttl": "soon"}}, {**GOOD, "data": {"x": "y" * 5000}}, [],
    ],
)  # fmt: skip
def test_fcm_refuses_what_is_no_message(stand_in: PushStandIn, given: dict[str, str], message: Any) -> None:
    before = len(stand_in.received())
    answer = fcm(stand_in, given, message)
    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert len(stand_in.received()) == before


def test_fcm_says_of_the_login_of_the_project_and_of_the_device_what_is_wrong(
    stand_in: PushStandIn, given: dict[str, str]
) -> None:
    def said(answer: httpx.Response) -> tuple[int, str, list[str]]:
        error = answer.json()["error"]
        return answer.status_code, error["status"], [detail["errorCode"] for detail in error["details"]]

    assert said(fcm(stand_in, given, GOOD, access="ya29.made-up")) == (401, "UNAUTHENTICATED", [])
    assert said(fcm(stand_in, given, GOOD, project="other")) == (403, "PERMISSION_DENIED", ["SENDER_ID_MISMATCH"])
    stand_in.control(dead={"d" * 40: 1_700_000_000_000})
    assert said(fcm(stand_in, given, {**GOOD, "token": "d" * 40})) == (404, "NOT_FOUND", ["UNREGISTERED"])
    access = granted(stand_in.http, assertion(given)).json()["access_token"]
    assert fcm(stand_in, given, GOOD, access=access).status_code == 200
    stand_in.control(forget_access=True)
    assert fcm(stand_in, given, GOOD, access=access).status_code == 401


def test_a_dead_token_is_unregistered_since_then(
    stand_in: PushStandIn, http2: httpx.Client, given: dict[str, str]
) -> None:
    stand_in.control(dead={"cd" * 32: 1_700_000_000_000})
    answer = apns(http2, given, token="cd" * 32)
    assert (answer.status_code, answer.json()) == (410, {"reason": "Unregistered", "timestamp": 1_700_000_000_000})


@pytest.mark.parametrize(
    ("kind", "of_apns", "of_fcm"),
    [("busy", 429, 429), ("quota", 503, 429), ("away", 503, 503), ("broken", 500, 500), ("malformed", 502, 502)],
)
def test_faults_on_request_come_once_and_say_when_to_try_again(
    stand_in: PushStandIn, http2: httpx.Client, given: dict[str, str], kind: str, of_apns: int, of_fcm: int
) -> None:
    stand_in.control(faults=[{"provider": one, "kind": kind, "times": 1, "seconds": 2} for one in ("apns", "fcm")])
    answers = [apns(http2, given), fcm(stand_in, given, GOOD)]
    assert [answer.status_code for answer in answers] == [of_apns, of_fcm]
    for answer in answers:
        assert answer.headers.get("retry-after") == ("2" if answer.status_code in (429, 503) else None)
    assert [apns(http2, given).status_code, fcm(stand_in, given, GOOD).status_code] == [200, 200]


def test_control_says_what_is_wrong_with_a_wish(stand_in: PushStandIn) -> None:
    for wish in (
        {"faults": [{"provider": "apns", "kind": "rain"}]},
        {"faults": [{"what": 1}]},
        {"dead": {"t": "x"}},
        7,
    ):
        answer = stand_in.http.post("/_dbz/control", json=wish)
        assert answer.status_code == 400 and answer.json()["error"], wish
    shell = stand_in.http.get("/_dbz/environment").text
    assert "export PUSH_APNS_URL=" in shell and "PRIVATE KEY" in shell
