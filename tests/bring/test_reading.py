"""Files of others: what each brings, and what is said of one that cannot be read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbz.bring.files.opening import read_file, read_files
from dbz.bring.recording import FORM, JSON, MULTIPART, Recording
from dbz.bring.script import script_of
from dbz.bring.writing.scenario import scenario_text
from dbz.errors import UsageError
from tests.bring.material import ORIGIN, entry, har

FILES = Path(__file__).parent / "files"
OPENAPI = {
    "openapi": "3.1.0",
    "servers": [{"url": "http://127.0.0.1:8080/v1"}],
    "security": [{"bearer": []}],
    "components": {
        "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        "schemas": {
            "Post": {
                "type": "object",
                "required": ["title", "parent"],
                "properties": {
                    "title": {"type": "string", "minLength": 6},
                    "parent": {"$ref": "#/components/schemas/Post"},
                    "note": {"type": "string"},
                },
            }
        },
    },
    "paths": {
        "/posts": {
            "get": {
                "operationId": "listPosts",
                "parameters": [
                    {"name": "page", "in": "query", "required": True, "schema": {"type": "integer", "default": 2}},
                    {"name": "hidden", "in": "query", "schema": {"type": "string"}},
                ],
                "responses": {"200": {}},
            },
            "post": {
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Post"}}}},
                "responses": {"201": {}},
            },
        },
        "/posts/{id}": {
            "parameters": [
                {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}, "example": 17}
            ],
            "get": {"responses": {"200": {}}},
        },
    },
}


def brought(tmp_path: Path, content: Any, name: str = "file") -> Recording:
    """What a file with these contents brings."""
    path = tmp_path / name
    path.write_bytes(
        content
        if isinstance(content, bytes)
        else content.encode()
        if isinstance(content, str)
        else json.dumps(content).encode()
    )
    return read_file(path)


def test_a_har_brings_requests_bodies_and_answers(tmp_path: Path) -> None:
    recording = brought(tmp_path, har(entry("POST", "/login?x=1", {"token": "t"}, sent={"name": "a"}, status=201)))
    (exchange,) = recording.exchanges
    assert (exchange.method, exchange.origin, exchange.path, exchange.query) == ("POST", ORIGIN, "/login", [("x", "1")])
    assert (exchange.body.kind, exchange.body.value, exchange.answer.value) == (JSON, {"name": "a"}, {"token": "t"})
    assert (exchange.status, exchange.duration_s) == (201, 0.0125)


def test_playwright_keeps_the_messages_of_sockets_with_their_times_in_milliseconds() -> None:
    (socket,) = read_file(FILES / "tab1.har").sockets
    texts = [message.data for message in socket.messages if message.sent]
    assert texts[0] == "2probe" and any(str(text).startswith('421["say"') for text in texts)
    assert 0 < socket.messages[0].at_s - socket.started_s < 5


def test_openapi_is_filled_with_examples_defaults_and_values_that_fit(tmp_path: Path) -> None:
    recording = brought(tmp_path, OPENAPI)
    listing, making, reading = recording.exchanges
    assert (listing.url, listing.title) == (f"{ORIGIN}/v1/posts?page=2", "listPosts")
    assert (making.method, making.body.value, making.status) == ("POST", {"title": "textxx"}, 201)
    assert reading.path == "/v1/posts/17"
    assert listing.header("authorization") == "Bearer <TOKEN>"
    assert not recording.recorded


def test_swagger_2_is_read_too(tmp_path: Path) -> None:
    body = {"in": "body", "name": "b", "schema": {"type": "object", "properties": {"n": {"type": "integer"}}}}
    form = {"in": "formData", "name": "f", "type": "string", "required": True}
    document = {
        "swagger": "2.0",
        "host": "127.0.0.1:8080",
        "basePath": "/v2/",
        "schemes": ["http"],
        "paths": {"/a": {"post": {"parameters": [body]}}, "/f": {"post": {"parameters": [form]}}},
    }
    with_body, with_form = brought(tmp_path, document).exchanges
    assert (with_body.url, with_body.body.value) == (f"{ORIGIN}/v2/a", {"n": 1})
    assert (with_form.body.kind, with_form.body.value) == (FORM, [("f", "text")])


COMMON = '10.0.0.9 - me [10/Oct/2026:13:55:36 -0700] "GET /posts/17 HTTP/1.0" 200 2326'
COMBINED = '10.0.0.9 - - [10/Oct/2026:13:55:36 +0000] "POST /a?b=c HTTP/1.1" 201 - "-" "curl/8"'
NGINX = '{"msec": "1760104536.1", "request": "GET /q HTTP/1.1", "status": "404", "remote_addr": "::1"}'
ALB = (
    "https 2026-10-10T13:55:36.186641Z app/lb/1 192.0.2.5:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57 "
    '"GET https://www.example.com:443/x HTTP/1.1" "curl/7.46.0" ECDHE TLSv1.2 arn "Root=1" "www" "arn" 0 t "f" "-" "-"'
)


@pytest.mark.parametrize(
    ("line", "method", "path", "status", "client"),
    [
        (COMMON, "GET", "/posts/17", 200, "10.0.0.9"),
        (COMBINED, "POST", "/a", 201, "10.0.0.9"),
        ('{"time": "2026-10-10T13:55:36Z", "method": "put", "path": "/p", "status": 204}', "PUT", "/p", 204, ""),
        (NGINX, "GET", "/q", 404, "::1"),
        (ALB, "GET", "/x", 200, "192.0.2.5"),
    ],
)
def test_access_logs_of_all_kinds(tmp_path: Path, line: str, method: str, path: str, status: int, client: str) -> None:
    recording = brought(tmp_path, f"{line}\nsomething else\n" if "{" not in line else line)
    (exchange,) = recording.exchanges
    assert (exchange.method, exchange.path, exchange.status, exchange.source) == (method, path, status, client)
    assert exchange.started_s > 1.7e9 and not recording.recorded
    assert ("1 of 2 lines" in " ".join(recording.notes)) == ("{" not in line)


def test_a_postman_collection_with_folders_variables_and_bodies(tmp_path: Path) -> None:
    url = {"raw": "{{base}}/posts/:id?x={{unset}}", "variable": [{"key": "id", "value": "5"}]}
    token = {"type": "bearer", "bearer": [{"key": "token", "value": "abc"}]}
    made = {"name": "Make", "request": {"method": "POST", "url": url, "body": {"mode": "raw", "raw": '{"a": 1}'}}}
    form = {
        "mode": "formdata",
        "formdata": [{"key": "f", "src": "x.png"}, {"key": "g", "value": "1", "disabled": True}],
    }
    sent = {"name": "Send", "request": {"method": "POST", "url": "{{base}}/up", "body": form}}
    document = {
        "item": [{"name": "folder", "item": [made]}, sent],
        "auth": token,
        "variable": [{"key": "base", "value": ORIGIN}],
    }
    recording = brought(tmp_path, {"collection": document})
    first, second = recording.exchanges
    assert first.url == f"{ORIGIN}/posts/5?x={{{{unset}}}}" and first.body.value == {"a": 1}
    assert first.header("authorization") == "Bearer abc"
    assert (second.body.kind, second.body.value, second.title) == (MULTIPART, [("f", "x.png")], "Send")
    assert "unset" in " ".join(recording.notes)


def test_curl_commands_as_browsers_copy_them(tmp_path: Path) -> None:
    text = (
        f"curl '{ORIGIN}/a?b=1' \\\n  -H 'Content-Type: application/json' --data-raw '{{\"x\":1}}' --compressed\n"
        f"curl -u me:pw -XDELETE {ORIGIN}/b\ncurl -G {ORIGIN}/c -d q=1 -d r=2\n"
    )
    post, delete, get = brought(tmp_path, text).exchanges
    assert (post.method, post.body.value) == ("POST", {"x": 1})
    assert (delete.method, delete.header("authorization")) == ("DELETE", "Basic bWU6cHc=")
    assert (get.method, get.query) == ("GET", [("q", "1"), ("r", "2")])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b'{"log": {"entries": [', "damaged JSON, or was cut off"),
        (b'{"log": {}}', "no log.entries"),
        (b'{"something": 1}', "none of the files that dbz knows"),
        (b"a line\nanother\n", "no line is of a known access log"),
        (b"\x1f\x8b\x08\x00broken", "damaged gzip"),
        (b"curl 'http://x", "does not end"),
        (b"curl -H", "has no value"),
        (b'{"openapi": "3.0.0", "paths": {}}', "has no paths"),
        (b'{"openapi": "3.0.0", "paths": {"/a": {"$ref": "other.yaml#/a"}}}', "another document"),
        (b'{"openapi": "3.0.0", "paths": {"/a": {"$ref": "#/nowhere"}}}', "leads nowhere"),
        (b'{"openapi": "3.0.0", "paths": {"/a": {"$ref": "#/paths/~1a"}}}', "round in a circle"),
        (b"openapi: 3.0.0\npaths: [", "malformed YAML"),
        (b"[" * 100_000, "none of the files that dbz knows"),
        (b"[" * 10_000, "damaged JSON"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_message(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "x.har"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        read_file(path)


def test_a_gzip_file_a_byte_order_mark_and_a_missing_file(tmp_path: Path) -> None:
    document = json.dumps(har(entry("GET", "/a", {}))).encode()
    assert len(brought(tmp_path, gzip.compress(document)).exchanges) == 1
    assert len(brought(tmp_path, b"\xef\xbb\xbf" + document).exchanges) == 1
    with pytest.raises(UsageError, match="does not exist"):
        read_file(tmp_path / "nothing.har")
    with pytest.raises(UsageError, match="is not a file"):
        read_file(tmp_path)


def test_entries_that_are_not_har_are_counted_and_left_out(tmp_path: Path) -> None:
    recording = brought(tmp_path, har(entry("GET", "/a", {}), {"request": {"method": "GET"}}, {"request": 5}))
    assert len(recording.exchanges) == 1
    assert "2 of 3 entries" in recording.notes[0]


PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
WORDS = """log entries request response url method headers name value content text postData item openapi swagger paths
/a get post parameters schema $ref in items type properties startedDateTime time _webSocketMessages data opcode auth
body mode raw variable servers"""
KEYS = st.sampled_from(WORDS.split())
TREES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=25
)
HEADS = st.sampled_from(["log", "openapi", "swagger", "item", "collection", "paths"])


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(HEADS | KEYS, TREES, min_size=1, max_size=5))
def test_no_document_whatever_is_in_it_ends_in_anything_but_a_script_or_a_message(
    tmp_path_factory: Any, document: Any
) -> None:
    path = tmp_path_factory.mktemp("any") / "file"
    path.write_text(json.dumps(document))
    try:
        text = scenario_text(script_of(read_files([str(path)])), "Anything.")
    except UsageError:
        return
    compile(text, "scenario", "exec")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_no_file_whatever_its_bytes_ends_in_anything_but_a_message(tmp_path_factory: Any, content: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "file"
    path.write_bytes(content)
    try:
        read_file(path)
    except UsageError:
        return
