"""Postman collections: each request is one of its own, shown as its `auth` says, with values that logins bring."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from dbz.bring.choosing import Choice
from dbz.bring.files.opening import read_content
from dbz.bring.files.postman import read_postman
from dbz.bring.recording import Exchange
from dbz.bring.script import script_of
from dbz.bring.writing.scenario import scenario_text
from dbz.errors import UsageError
from tests.bring.material import ORIGIN


def collection(*requests: dict[str, Any], auth: Any = None, **variables: str) -> dict[str, Any]:
    """A collection of these requests with these variables."""
    named = {"base": f"{ORIGIN}/api"} | variables
    return {
        "item": [{"name": one["url"], "request": one} | one.pop("around", {}) for one in requests],
        "variable": [{"key": key, "value": value} for key, value in named.items()],
    } | ({"auth": auth} if auth else {})


def asked(auth: dict[str, Any], **variables: str) -> Exchange:
    """The request that shows itself by this `auth`."""
    (one,) = read_postman(collection({"url": "{{base}}/a", "auth": auth}, **variables), "c").exchanges
    return one


def settings(kind: str, **values: str) -> dict[str, Any]:
    """An `auth` as collections of version 2.1 have it."""
    return {"type": kind, kind: [{"key": key, "value": value, "type": "string"} for key, value in values.items()]}


def test_paths_that_differ_stay_what_they_are_and_variables_have_names() -> None:
    paths = ("login", "graphql", "form", "file", "users/{{uid}}", "posts/17")
    recording = read_postman(collection(*({"url": f"{{{{base}}}}/{path}"} for path in paths), uid="42"), "c")
    script = script_of(recording, Choice(ORIGIN))
    assert not script.paths, "no request is taken for another one"
    assert [one.template for one in recording.exchanges] == [
        "/api/login", "/api/graphql", "/api/form", "/api/file", "/api/users/{uid}", "/api/posts/{id}",
    ]  # fmt: skip
    assert recording.exchanges[4].url == f"{ORIGIN}/api/users/42"


def test_basic_is_encoded_once_its_variables_are_known() -> None:
    secret = base64.b64encode(b"me:pw").decode()
    for values in ({"username": "me", "password": "pw"}, {"username": "{{who}}", "password": "{{word}}"}):
        assert asked(settings("basic", **values), who="me", word="pw").header("authorization") == f"Basic {secret}"
    assert asked({"type": "basic", "basic": {"username": "me", "password": "pw"}}).header("authorization")
    unknown = asked(settings("basic", username="me", password="{{word}}"))
    assert unknown.header("authorization") == "Basic <BASIC_CREDENTIALS>"


@pytest.mark.parametrize(
    ("auth", "header", "query"),
    [
        (settings("apikey", key="X-Key", value="{{k}}"), ("x-key", "v"), ""),
        (settings("apikey", key="k", value="{{k}}", **{"in": "query"}), None, "k=v"),
        (settings("oauth2", accessToken="{{k}}", addTokenTo="header"), ("authorization", "Bearer v"), ""),
        (settings("oauth2", accessToken="{{k}}", headerPrefix="Token"), ("authorization", "Token v"), ""),
        (settings("oauth2", accessToken="{{k}}", addTokenTo="queryParams"), None, "access_token=v"),
        (settings("oauth2", grant_type="password"), ("authorization", "Bearer <ACCESS_TOKEN>"), ""),
        ({"type": "noauth"}, None, ""),
    ],
)
def test_a_request_shows_itself_as_its_auth_says(auth: Any, header: tuple[str, str] | None, query: str) -> None:
    one = asked(auth, k="v")
    assert list(one.headers) == ([header] if header else [])
    assert one.url == f"{ORIGIN}/api/a" + (f"?{query}" if query else "")


def test_an_auth_that_is_not_read_is_said() -> None:
    recording = read_postman(collection({"url": "{{base}}/a"}, auth=settings("digest", username="me")), "c")
    assert "digest" in " ".join(recording.notes) and not recording.exchanges[0].headers


@pytest.mark.parametrize("name", ["t", "at", "tok", "token", "access_token"])
def test_what_a_login_sets_is_taken_from_its_answer_whatever_its_name(name: str) -> None:
    test = {"listen": "test", "script": {"exec": [f'pm.environment.set("{name}", pm.response.json().data.x);']}}
    login = {"url": "{{base}}/login", "method": "POST", "auth": {"type": "noauth"}, "around": {"event": [test]}}
    material = collection(login, {"url": "{{base}}/a"}, auth=settings("bearer", token=f"{{{{{name}}}}}"))
    text = scenario_text(script_of(read_postman(material, "c"), Choice(ORIGIN)), "c")
    compile(text, "c.py", "exec")
    assert "def on_start" in text and '["data"]["x"]' in text and "secret(" not in text


def test_headers_may_be_lines_and_urls_parts() -> None:
    url = {"protocol": "https", "host": ["api", "example", "com"], "port": "8443", "path": ["users", ":id", "idle"]}
    url |= {"query": [{"key": "q", "value": "1"}, {"key": "z", "value": "2", "disabled": True}]}
    url |= {"variable": [{"key": "id", "value": r"7\1"}]}
    (one,) = read_postman({"item": [{"request": {"url": url, "header": "X-A: 1\nX-B: 2:3"}}]}, "c").exchanges
    assert one.url == r"https://api.example.com:8443/users/7\1/idle?q=1"
    assert one.headers == [("x-a", "1"), ("x-b", "2:3")]


def test_a_variable_of_a_path_is_no_part_of_a_longer_one() -> None:
    url = {"raw": f"{ORIGIN}/a/:id/:idx", "variable": [{"key": "id", "value": "1"}, {"key": "idx", "value": "2"}]}
    (one,) = read_postman({"item": [{"request": {"url": url}}]}, "c").exchanges
    assert one.path == "/a/1/2"


def test_a_body_has_the_type_that_its_header_says() -> None:
    request = {
        "url": f"{ORIGIN}/soap",
        "method": "POST",
        "header": [{"key": "Content-Type", "value": "application/soap+xml; charset=utf-8"}],
        "body": {"mode": "raw", "raw": "<a/>"},
    }
    text = scenario_text(script_of(read_postman({"item": [{"request": request}]}, "c")), "Soap.")
    assert '"content-type": "application/soap+xml"' in text


def test_graphql_keeps_its_operation_and_variables_without_quotes() -> None:
    graphql = {"query": "query A($x: Int) {a}", "variables": '{"x": {{n}}, "y": "{{n}}"}', "operationName": "A"}
    one = {"url": "{{base}}/graphql", "method": "POST", "body": {"mode": "graphql", "graphql": graphql}}
    (exchange,) = read_postman(collection(one, n="5"), "c").exchanges
    assert exchange.body.value["operationName"] == "A" and exchange.body.value["variables"] == {"x": "5", "y": "5"}


def test_files_whose_contents_are_not_in_a_collection_are_named() -> None:
    form = [{"key": "f", "type": "file", "src": ["/x/a.png", "/x/b.png"]}, {"key": "g", "type": "text", "value": "1"}]
    recording = read_postman(
        collection(
            {"url": "{{base}}/a", "method": "POST", "body": {"mode": "formdata", "formdata": form}},
            {"url": "{{base}}/b", "method": "POST", "body": {"mode": "file", "file": {"src": "/x/c.bin"}}},
        ),
        "c",
    )
    assert recording.exchanges[0].body.value == [("f", "/x/a.png"), ("f", "/x/b.png"), ("g", "1")]
    assert recording.notes == ["c: the contents of files are not in the collection: /x/a.png, /x/b.png, /x/c.bin"]


@pytest.mark.parametrize(
    ("document", "what"),
    [
        ({"id": "x", "values": [], "_postman_variable_scope": "environment"}, "an environment of Postman"),
        ({"id": "x", "name": "old", "order": [], "requests": []}, "Postman's version 1"),
        ({"_type": "export", "__export_format": 4, "resources": []}, "Insomnia"),
    ],
)
def test_what_is_no_collection_is_refused_with_what_to_give_instead(document: dict[str, Any], what: str) -> None:
    with pytest.raises(UsageError, match=what) as caught:
        read_content(json.dumps(document).encode(), "c.json")
    assert caught.value.hint and "exported" in caught.value.hint
