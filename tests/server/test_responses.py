"""The rules of every answer; the tests are named after them."""

from __future__ import annotations

import gzip
import uuid

import httpx
import pytest

from tests.server.clients import SignIn

pytestmark = pytest.mark.anyio

PLAIN = {"accept-encoding": "identity"}


async def raw(user_http: httpx.AsyncClient, path: str, **headers: str) -> tuple[httpx.Response, bytes]:
    """The answer and its body as it was on the wire."""
    async with user_http.stream("GET", path, headers=headers) as response:
        return response, b"".join([part async for part in response.aiter_raw()])


async def test_gzip_from_one_kilobyte_up(sign_in: SignIn) -> None:
    """Compressed when asked and at least 1,024 bytes; the compressed body is the plain one."""
    user = await sign_in("user0001")
    large, packed = await raw(user.http, "/api/posts", **{"accept-encoding": "gzip"})
    assert large.headers["content-encoding"] == "gzip" and "accept-encoding" in large.headers["vary"]
    _, plain = await raw(user.http, "/api/posts", **PLAIN)
    assert gzip.decompress(packed) == plain and len(plain) >= 1024 > 0
    small, _ = await raw(user.http, "/api/me", **{"accept-encoding": "gzip"})
    assert "content-encoding" not in small.headers


async def test_gzip_level_six(sign_in: SignIn) -> None:
    """The body is what level 6 makes of it."""
    user = await sign_in("user0001")
    _, plain = await raw(user.http, "/api/games?limit=50", **PLAIN)
    _, packed = await raw(user.http, "/api/games?limit=50", **{"accept-encoding": "br, gzip;q=0.5"})
    assert packed == gzip.compress(plain, 6, mtime=0)


@pytest.mark.parametrize(
    "headers",
    [
        {"accept-encoding": "gzip", "x-no-compression": "1"},
        {"accept-encoding": "br"},
        {"accept-encoding": "gzip;q=0"},
        PLAIN,
    ],
)
async def test_no_gzip_unless_asked(sign_in: SignIn, headers: dict[str, str]) -> None:
    """`x-no-compression` turns it off, and it is never on for those who cannot read it."""
    response, _ = await raw((await sign_in("user0001")).http, "/api/posts", **headers)
    assert "content-encoding" not in response.headers


async def test_get_answers_carry_an_etag_and_cache_control(sign_in: SignIn) -> None:
    """Private, five minutes."""
    response = await (await sign_in("user0001")).get("/api/posts")
    assert response.headers["cache-control"] == "private, max-age=300" and response.headers["etag"]


@pytest.mark.parametrize("path", ["/api/posts", "/api/games?limit=3", "/api/me", "/api/clubs/club00"])
async def test_if_none_match_gets_a_304(sign_in: SignIn, path: str) -> None:
    """The same data: 304 without a body. Another tag: the data."""
    user = await sign_in("user0001")
    tag = (await user.get(path)).headers["etag"]
    for sent in (tag, f'"other", {tag}', tag.removeprefix("W/"), "*"):
        again = await user.get(path, headers={"if-none-match": sent})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert (await user.get(path, headers={"if-none-match": '"other"'})).status_code == 200


async def test_the_etag_changes_with_the_data(sign_in: SignIn) -> None:
    """A client never keeps what is no longer true."""
    user = await sign_in("user0001")
    before = (await user.get("/api/posts/club00-p01")).headers["etag"]
    await user.post("/api/posts/club00-p01/comments", {"content": "new"})
    after = await user.get("/api/posts/club00-p01", headers={"if-none-match": before})
    assert after.status_code == 200 and after.headers["etag"] != before


async def test_fields_keep_only_those_fields(sign_in: SignIn) -> None:
    """In one object, and in lists, whose pagination stays."""
    user = await sign_in("user0001")
    assert set((await user.get("/api/me?fields=id,name,nonsense")).json()) == {"id", "name"}
    listed = (await user.get("/api/posts?fields=id,is_read&limit=3")).json()
    assert all(set(item) == {"id", "is_read"} for item in listed["items"]) and len(listed["items"]) == 3
    assert listed["pagination"]["total_count"] > 3


@pytest.mark.parametrize(
    ("query", "page", "rows"),
    [("page=0", 1, 20), ("page=-1", 1, 20), ("limit=0", 1, 1), ("limit=200", 1, 30), ("limit=-5&page=2", 2, 1)],
)
@pytest.mark.parametrize("path", ["/api/posts", "/api/games"])
async def test_pages_out_of_range_are_the_nearest(sign_in: SignIn, path: str, query: str, page: int, rows: int) -> None:
    """page >= 1, 1 <= limit <= 100, as the plan says."""
    response = await (await sign_in("user0210")).get(f"{path}?{query}")
    assert response.status_code == 200
    listed = response.json()
    assert listed["pagination"]["current_page"] == page
    assert len(listed["items"]) == rows if rows < 30 else 30 <= len(listed["items"]) <= 100


async def test_more_than_a_hundred_rows_are_never_given(sign_in: SignIn) -> None:
    """Members are many enough to tell."""
    user = await sign_in("user0210")
    assert len((await user.get("/api/clubs/club01/members?limit=200")).json()["items"]) == 100
    assert (await user.get("/api/notifications?limit=200")).status_code == 200
    assert (await user.get("/api/rooms/room:club01/messages?limit=0")).status_code == 200


@pytest.mark.parametrize("query", ["limit=x", "page=1.5", "page=", "limit=1e3"])
async def test_pages_that_are_no_numbers_are_refused(sign_in: SignIn, query: str) -> None:
    """The answer names the parameter."""
    response = await (await sign_in("user0001")).get(f"/api/posts?{query}")
    assert response.status_code == 422
    assert response.json()["error"]["problems"][0]["where"] == f"query.{query.split('=')[0]}"


async def test_pagination_defaults_and_block(sign_in: SignIn) -> None:
    """Twenty rows by default; the pages put together are the whole list, without repetition."""
    user = await sign_in("user0201")
    first = (await user.get("/api/posts")).json()
    total = first["pagination"]["total_count"]
    assert len(first["items"]) == 20
    pages = -(-total // 20)
    assert first["pagination"] == {"current_page": 1, "total_pages": pages, "total_count": total, "has_more": True}
    ids = []
    for page in range(1, pages + 1):
        answer = (await user.get(f"/api/posts?page={page}")).json()
        ids += [item["id"] for item in answer["items"]]
        assert answer["pagination"]["has_more"] is (page < pages)
    assert len(ids) == len(set(ids)) == total
    assert (await user.get(f"/api/posts?page={pages + 5}")).json()["items"] == []


async def test_json_over_one_megabyte_is_streamed(sign_in: SignIn) -> None:
    """In chunks, without a length; smaller answers have one."""
    user = await sign_in("user0399")
    for number in range(65):
        answer = await user.post("/api/posts", {"title": f"long {number}", "content": "streamed " * 2200})
        assert answer.status_code == 201
    response, body = await raw(user.http, "/api/posts?limit=100", **PLAIN)
    assert len(body) > 1_000_000
    assert "content-length" not in response.headers and response.headers["transfer-encoding"] == "chunked"
    packed, body = await raw(user.http, "/api/posts?limit=100", **{"accept-encoding": "gzip"})
    assert len(body) < 100_000 and packed.headers["content-encoding"] == "gzip"
    assert "content-length" not in packed.headers, "the size of the JSON decides, however small it gets when packed"
    small, body = await raw(user.http, "/api/posts?limit=1", **PLAIN)
    assert int(small.headers["content-length"]) == len(body)


async def test_response_times_of_the_last_thousand_requests(sign_in: SignIn) -> None:
    """Kept with endpoint, method and time; only admins may look."""
    member, admin = await sign_in("user0001"), await sign_in("user0199")
    for _ in range(1010):
        await member.get("/healthz")
    rows = (await admin.get("/api/admin/responses")).json()["items"]
    assert len(rows) == 1000
    assert (rows[-1]["endpoint"], rows[-1]["method"], rows[-1]["status"]) == ("/healthz", "GET", 200)
    assert rows[-1]["duration_ms"] > 0 and rows[-1]["at"] > 1_700_000_000
    assert (await member.get("/api/admin/responses")).status_code == 403


async def test_every_answer_has_a_request_id(anyone: httpx.AsyncClient) -> None:
    """The client's own, when it sent a sensible one."""
    mine = uuid.uuid4().hex
    assert (await anyone.get("/healthz", headers={"x-request-id": mine})).headers["x-request-id"] == mine
    made = (await anyone.get("/healthz", headers={"x-request-id": 'evil" {'})).headers["x-request-id"]
    assert len(made) == 26
    assert (await anyone.get("/nowhere")).headers["x-request-id"]


async def test_head_has_no_body(anyone: httpx.AsyncClient) -> None:
    """HEAD is GET without the body."""
    response = await anyone.head("/healthz")
    assert response.status_code == 200 and response.content == b"" and response.headers["content-length"] == "15"


async def test_media_size_depends_on_width_and_quality(anyone: httpx.AsyncClient) -> None:
    """The same bytes for the same question, more for more pixels or quality; cached for ever, 304 with its tag."""
    one, again = [await anyone.get("/media/photo1?w=400&q=85") for _ in range(2)]
    assert one.content == again.content and one.headers["content-type"] == "image/jpeg"
    assert one.content[:2] == b"\xff\xd8" and one.content[-2:] == b"\xff\xd9"
    assert "immutable" in one.headers["cache-control"]
    wider, better = await anyone.get("/media/photo1?w=800&q=85"), await anyone.get("/media/photo1?w=400&q=95")
    assert len(wider.content) > len(better.content) > len(one.content)
    kept = await anyone.get("/media/photo1?w=400&q=85", headers={"if-none-match": one.headers["etag"]})
    assert kept.status_code == 304
    assert (await anyone.get("/media/photo1?w=1025")).status_code == 422
