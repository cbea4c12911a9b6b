"""Postman collections: each request is one of its own, shown as its `auth` says, with values that logins bring."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from dbz.bring.choosing import Choice
from dbz.bring.files.postman import read_postman
from dbz.bring.recording import Exchange
from dbz.bring.script import script_of
from dbz.bring.writing.scenario import scenario_text
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
