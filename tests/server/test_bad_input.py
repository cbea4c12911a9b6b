"""Whatever comes in, the answer is a clear refusal: never a 5xx, never a stack trace."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from tests.server.backend import Backend
from tests.server.clients import SignIn
from tests.whole import WHOLE

pytestmark = pytest.mark.anyio

POSTING = ["/api/posts", "/api/games", "/api/notifications", "/api/auth/login", "/api/auth/refresh"]
_SAMPLES: list[Any] = [
    None,
    1,
    -1,
    1.5,
    "",
    "x" * 10_000,
    [],
    [[]],
    {},
    {"roomId": None},
    {"roomId": []},
    {"gameId": {"$gt": ""}},
    True,
]
INJECTED = [{"$gt": ""}, {"$where": "sleep(1000)"}, ["x"], 7, None, True]


@pytest.mark.parametrize("path", POSTING)
@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"nul", b'{"a":1}}', b"[" * 5000, b'{"title": NaN}'])
async def test_malformed_json_is_refused(sign_in: SignIn, path: str, body: bytes) -> None:
    """400, saying what is wrong with it."""
    answer = await (await sign_in("user0140")).http.post(path, content=body)
    assert answer.status_code == 400 and answer.json()["error"]["code"] == "malformed_json"


@pytest.mark.parametrize("value", INJECTED)
@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/api/auth/login", {"username": "user0001", "password": "demo"}, "username"),
        ("/api/auth/login", {"username": "user0001", "password": "demo"}, "password"),
        ("/api/auth/refresh", {"refresh_token": "x"}, "refresh_token"),
        ("/api/posts", {"title": "t", "content": "c"}, "title"),
        ("/api/posts/club00-p00/comments", {"content": "c"}, "content"),
        ("/api/games", {"title": "t", "game_date": "2026-12-24T10:00:00Z"}, "title"),
    ],
)
async def test_operators_where_a_string_belongs_are_refused(
    sign_in: SignIn, path: str, body: dict[str, Any], field: str, value: Any
) -> None:
    """422, naming the field: an object never reaches a query."""
    answer = await (await sign_in("user0140")).post(path, {**body, field: value})
    assert answer.status_code == 422
    assert answer.json()["error"]["problems"][0]["where"].startswith(f"body.{field}")


@pytest.mark.parametrize("extra", [{"club_id": "club01"}, {"author_id": "user0000"}, {"likes": ["x"]}, {"$set": {}}])
async def test_fields_that_nobody_may_set_are_refused(sign_in: SignIn, extra: dict[str, Any]) -> None:
    """Ids, counters and operators are not the client's to write."""
    answer = await (await sign_in("user0140")).post("/api/posts", {"title": "t", "content": "c", **extra})
    assert answer.status_code == 422


async def test_oversize_bodies_are_refused(sign_in: SignIn) -> None:
    """413, with a length and without one."""
    user = await sign_in("user0140")
    assert (await user.post("/api/posts", {"title": "t", "content": "x" * 1_100_000})).status_code == 413

    async def endless() -> Any:
        for _ in range(40):
            yield b"x" * 32_768

    assert (await user.http.post("/api/posts", content=endless())).status_code == 413


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nowhere", 404),
        ("/api/posts/no-such-post", 404),
        ("/api/posts/%00", 404),
        ("/api/posts/$where", 404),
        ("/api/games/..%2f..%2fetc%2fpasswd", 404),
        ("/api/rooms/nowhere/messages", 404),
        ("/media/..%2f..%2fetc", 404),
        ("/api/games?status[$ne]=x", 200),
        ("/api/games?status=unknown", 422),
        ("/api/games?date_from=0000-01-01", 422),
        ("/api/games?date_from=yesterday", 422),
        ("/api/posts?search=" + "x" * 101, 422),
        ("/api/posts?search=%ff", 422),
        ("/api/posts?" + "a=1&" * 60, 422),
        ("/api/posts?" + "a" * 5000, 414),
        ("/api/posts?page=99999999999999999999", 422),
    ],
)
async def test_strange_paths_and_queries(sign_in: SignIn, path: str, status: int) -> None:
    """Answered like any other mistake."""
    assert (await (await sign_in("user0140")).get(path)).status_code == status


async def test_methods_that_a_path_does_not_have(sign_in: SignIn) -> None:
    """405 with the methods that it has."""
    answer = await (await sign_in("user0140")).http.delete("/api/posts")
    assert answer.status_code == 405 and set(answer.headers["allow"].split(", ")) == {"GET", "POST"}


async def test_sockets_survive_any_payload(sign_in: SignIn) -> None:
    """Every event with every kind of payload is answered, and the socket goes on."""
    socket = await (await sign_in("user0141")).socket()
    for event in ("room:join", "room:leave", "typing", "game:leave"):
        for payload in _SAMPLES:
            answer = await socket.call(event, payload)
            assert set(answer) >= {"ok"} and not (answer["ok"] and event == "room:join")
    assert (await socket.call("room:join", {"roomId": "room:club00"}))["ok"]


async def test_garbage_on_the_wire_harms_nobody(sign_in: SignIn, backend: Backend) -> None:
    """Packets that are no Socket.IO at all; another connection does not notice."""
    other = await (await sign_in("user0142")).socket()
    async with httpx.AsyncClient(base_url=backend.url, params={"EIO": "4", "transport": "polling"}, timeout=60) as http:
        for garbage in (
            b"",
            b"9",
            b"4",
            b"42",
            b"42[",
            b'42{"a"',
            b"451-[",
            b"\xff\xfe",
            b"4" * 5000,
            b'40{"token":5}',
        ):
            opened = json.loads((await http.get("/socket.io/")).text[1:])
            answer = await http.post("/socket.io/", params={"sid": opened["sid"]}, content=garbage)
            assert answer.status_code < 500, garbage
        for query in ({"EIO": "x"}, {"transport": "carrier-pigeon"}, {"sid": "nobody"}):
            assert (await http.get("/socket.io/", params=query)).status_code == 400
    assert (await other.call("room:join", {"roomId": "room:club00"}))["ok"]


async def test_no_answer_shows_a_stack_trace(sign_in: SignIn, backend: Backend) -> None:
    """Nor does the log have one after all of the above."""
    user = await sign_in("user0143")
    answers = [await user.get(path) for path in ("/nowhere", "/api/posts?page=x")]
    assert all("Traceback" not in answer.text for answer in answers)
    assert "Traceback" not in backend.log.read_text()


def test_openapi_document_describes_what_the_server_does(backend: Backend) -> None:
    """A property-based client made from the document finds no 5xx, no undocumented status, no wrong shape."""
    token = httpx.post(f"{backend.url}/api/auth/login", json={"username": "user0444", "password": "demo"}).json()
    headers = {"authorization": f"Bearer {token['access_token']}"}
    schema = schemathesis.openapi.from_url(f"{backend.url}/openapi.json")
    checks = [
        schemathesis.checks.not_a_server_error,
        schemathesis.checks.status_code_conformance,
        schemathesis.checks.content_type_conformance,
        schemathesis.checks.response_schema_conformance,
    ]
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) >= 25
    for operation in operations:
        _explore(operation, headers, checks)


def _explore(operation: Any, headers: dict[str, str], checks: list[Any]) -> None:
    if operation.path in ("/api/auth/logout", "/metrics"):
        return

    @settings(max_examples=20 if WHOLE else 8, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def explore(case: Any) -> None:
        case.call_and_validate(headers=headers, checks=checks)

    explore()
