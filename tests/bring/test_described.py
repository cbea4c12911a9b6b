"""What a document, or a collection, says itself: where tokens come from, and which ids there are."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbz.bring.choosing import Choice
from dbz.bring.files.openapi.reading import read_openapi
from dbz.bring.files.opening import read_files
from dbz.bring.files.postman import read_postman, set_variables
from dbz.bring.project.material import Material
from dbz.bring.project.trial import left_out
from dbz.bring.recording import Recording
from dbz.bring.script import script_of
from dbz.bring.writing.scenario import scenario_text
from dbz.cli.main import run
from dbz.errors import ExitCode, UsageError
from tests.bring.apps import starlette_app
from tests.bring.starlette_app import DOCUMENT

TARGET = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with starlette_app(tmp_path_factory.mktemp("app") / "log") as url:
        yield url


def text_of(recording: Recording) -> str:
    """The scenario of a recording; it is valid Python."""
    text = scenario_text(script_of(recording, Choice(TARGET)), "A document.")
    compile(text, "scenario", "exec")
    return text


def described(**changes: Any) -> dict[str, Any]:
    """A document with a login, of which some parts are others."""
    return {**copy.deepcopy(DOCUMENT), **changes}


def test_the_login_of_a_document_gives_the_token_and_its_list_the_ids() -> None:
    recording = read_openapi(DOCUMENT, "api")
    text = text_of(recording)
    start = text[text.index("def on_start") : text.index("@task")]
    assert 'self.client.post("/login", json={"name": "ann", "password": PASSWORD})' in start
    assert 'self.token = answer.json()["token"]' in start
    assert 'self.club_slug = self.pick(answer, "$.clubs[*].slug", "text")' in start
    assert text.count("/login") == 2 and "TOKEN" not in text and "def post_logout" not in text
    assert 'self.client.get("/status")' in text
    assert 'f"/clubs/{self.club_slug}"' in text and 'name="/clubs/{slug}"' in text
    deleting = text[text.index("def delete") :]
    assert deleting.index("self.client.post(") < deleting.index('self.new_club_slug = answer.json()["slug"]')
    assert 'f"/clubs/{self.new_club_slug}"' in deleting and '"slug": "text"' not in text  # that is the server's to say
    assert any("POST /logout is left out" in note for note in recording.notes)


def test_a_described_service_does_what_its_document_says(
    app: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "api.json").write_text(json.dumps(DOCUMENT))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PASSWORD", "court5")
    assert run(["import", "api.json", "-o", "club.py", "--target", app, "--check"]) in (None, ExitCode.OK)
    assert "as recorded: operations 6 of 6, statuses 6 of 6" in capsys.readouterr().out


def test_without_the_password_or_with_a_wrong_one_nothing_is_written(
    app: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PASSWORD", raising=False)
    assert run(["init", "new", "--from", app]) == ExitCode.USAGE
    assert "PASSWORD is not set" in capsys.readouterr().err
    monkeypatch.setenv("PASSWORD", "guess")
    assert run(["init", "new", "--from", app]) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert "no user can begin" in said and "POST /login: HTTP 401" in said and "(PASSWORD)" in said
    assert "guess" not in said and list(tmp_path.iterdir()) == []


def _login(body: dict[str, Any], answer: dict[str, Any], path: str = "/session", **more: Any) -> dict[str, Any]:
    told = {"responses": {"200": {"content": {"application/json": {"schema": _object(answer)}}}}}
    return {
        path: {"post": {**told, "requestBody": {"content": {"application/json": {"schema": _object(body)}}}, **more}}
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


TEXT = {"type": "string"}
MAIL = {"email": TEXT, "password": TEXT}
BEARER = {"type": "http", "scheme": "bearer"}


@pytest.mark.parametrize(
    ("scheme", "paths", "said"),
    [
        (BEARER, _login(MAIL, {"accessToken": TEXT, "refreshToken": TEXT}), ['["accessToken"]', "LOGIN_EMAIL"]),
        (BEARER, _login(MAIL, {"data": _object({"jwt": TEXT})}), ['answer.json()["data"]["jwt"]', "{self.jwt}"]),
        (BEARER, _login(MAIL, {"token": _object({"value": TEXT})}), ['answer.json()["token"]["value"]']),
        (BEARER, _login(MAIL, {"id_token": TEXT}, "/oauth/authorize"), ['answer.json()["id_token"]']),
        (
            {"type": "apiKey", "in": "header", "name": "X-Session"}, _login(MAIL, {"session": TEXT}),
            ['"x-session": self.session_2', 'answer.json()["session"]'],
        ),
        ({"type": "apiKey", "in": "query", "name": "key"}, _login(MAIL, {"key": TEXT}), ['params={"key": self.']),
        ({"type": "apiKey", "in": "cookie", "name": "sid"}, _login(MAIL, {}), ['self.client.post(', "Sign in"]),
        (
            {"type": "oauth2", "flows": {"password": {"tokenUrl": "auth/token"}}}, {},
            ['"/v1/auth/token"', '"grant_type": "password"', 'LOGIN_USERNAME', 'answer.json()["access_token"]'],
        ),
        (
            {"type": "oauth2", "flows": {"password": {"tokenUrl": "/v1/session"}}}, _login(MAIL, {"jwt": TEXT}),
            ['json={"email": LOGIN_EMAIL, "password": PASSWORD}', 'answer.json()["jwt"]'],
        ),
        (
            {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "/token"}}}, {},
            ['"/token"', '"client_id": LOGIN_CLIENT_ID', '"client_secret": CLIENT_SECRET'],
        ),
    ],
)  # fmt: skip
def test_every_kind_of_login(scheme: dict[str, Any], paths: dict[str, Any], said: list[str]) -> None:
    document = {
        "openapi": "3.0.0", "servers": [{"url": "http://127.0.0.1:1/v1"}], "security": [{"it": []}],
        "components": {"securitySchemes": {"it": scheme}}, "paths": {"/a": {"get": {}}, **paths},
    }  # fmt: skip
    text = text_of(read_openapi(document, "api"))
    assert "def on_start" in text and ' TOKEN = secret("TOKEN")' not in text
    for part in said:
        assert part in text, text


@pytest.mark.parametrize(
    ("scheme", "paths", "asked"),
    [
        (BEARER, {}, "TOKEN"),
        (BEARER, _login(MAIL, {}), "TOKEN"),  # the document does not say where the token is
        (BEARER, _login(MAIL, {"token": TEXT}, "/register"), "TOKEN"),  # that would make a member for each user
        (BEARER, _login({"refresh_token": TEXT}, {"token": TEXT}, "/refresh"), "TOKEN"),
        (BEARER, _login({"email": TEXT}, {"token": TEXT}), "TOKEN"),  # nothing proves who asks
        ({"type": "oauth2", "flows": {"password": {"tokenUrl": "https://id.example/token"}}}, {}, "TOKEN"),
        ({"type": "apiKey", "in": "header", "name": "X-Api-Key"}, {}, "X_API_KEY"),
        ({"type": "apiKey", "in": "cookie", "name": "sid"}, {}, "SID"),
    ],
)  # fmt: skip
def test_where_the_document_shows_no_login_the_environment_is_asked(
    scheme: dict[str, Any], paths: dict[str, Any], asked: str
) -> None:
    document = {
        "openapi": "3.0.0", "security": [{"it": []}],
        "components": {"securitySchemes": {"it": scheme}}, "paths": {"/a": {"get": {}}, **paths},
    }  # fmt: skip
    brought = script_of(read_openapi(document, "api"), Choice(TARGET))
    assert asked in brought.secrets and asked not in brought.secret_values
    assert "def on_start" not in scenario_text(brought, "A document.")


@pytest.mark.parametrize(
    ("answer", "path", "taken"),
    [
        ({"type": "array", "items": _object({"id": TEXT})}, "/rooms/{id}", "$[*].id"),
        (_object({"data": {"type": "array", "items": _object({"id": TEXT})}}), "/rooms/{roomId}", "$.data[*].id"),
        ({"type": "array", "items": _object({"slug": TEXT})}, "/rooms/{slug}", "$[*].slug"),
        ({"type": "array", "items": _object({"room_id": TEXT})}, "/rooms/{id}/notes", "$[*].room_id"),
        ({"type": "array", "items": _object({"name": TEXT})}, "/rooms/{id}", ""),
        ({"type": "array", "items": _object({"id": TEXT})}, "/rooms/{id}.json", ""),
        ({"type": "array", "items": _object({"owner": _object({"id": TEXT})})}, "/rooms/{id}", ""),
        (_object({"id": TEXT}), "/rooms/{id}", ""),
        ({}, "/rooms/{id}", ""),
    ],
)
def test_ids_are_taken_from_lists_and_only_from_lists(answer: dict[str, Any], path: str, taken: str) -> None:
    parameter = {"name": path.partition("{")[2].partition("}")[0], "in": "path", "schema": TEXT, "example": "r7"}
    listing = {"responses": {"200": {"content": {"application/json": {"schema": answer}}}}}
    paths = {"/rooms": {"get": listing}, path: {"get": {"parameters": [parameter]}}}
    text = text_of(read_openapi({"openapi": "3.0.0", "paths": paths}, "api"))
    assert f'name="{path}"' in text
    assert (f'self.pick(answer, "{taken}", "r7")' in text) if taken else ("r7" in text and "pick(" not in text)


def test_what_is_in_another_list_is_asked_for_after_it() -> None:
    rooms, notes = ({"type": "array", "items": _object({"id": TEXT})} for _ in range(2))
    parts = [{"name": name, "in": "path", "schema": TEXT} for name in ("room", "roomId", "id")]
    paths = {
        "/rooms/{roomId}/notes/{id}": {"get": {"parameters": parts[1:]}},
        "/rooms/{roomId}/notes": {"get": {**_answering(notes), "parameters": parts[1:2]}},
        "/rooms": {"get": _answering(rooms)},
    }
    text = text_of(read_openapi({"openapi": "3.0.0", "paths": paths}, "api"))
    start = text[: text.index("@task")]
    assert start.index("self.room_id =") < start.index('f"/rooms/{self.room_id}/notes"') < start.index("self.note_id =")
    assert 'f"/rooms/{self.room_id}/notes/{self.note_id}"' in text


def _answering(schema: dict[str, Any]) -> dict[str, Any]:
    return {"responses": {"200": {"content": {"application/json": {"schema": schema}}}}}


def _request(name: str, method: str, path: Any, script: str = "", **more: Any) -> dict[str, Any]:
    event = [{"listen": "test", "script": {"exec": script.split("\n")}}]
    return {"name": name, "event": event, "request": {"method": method, "url": path, **more}}


def test_a_variable_that_a_test_script_of_a_collection_sets_is_taken_from_the_answer() -> None:
    one = {"raw": "{{base}}/items/:id", "variable": [{"key": "id", "value": "{{first}}"}]}
    body = {"mode": "raw", "raw": '{"user": "{{user}}", "password": "{{password}}"}'}
    collection = {
        "item": [
            _request(
                "Log in", "POST", "{{base}}/login",
                'const data = pm.response.json();\npm.collectionVariables.set("token", data.auth.token);', body=body,
                auth={"type": "noauth"},
            ),
            _request("List", "GET", "{{base}}/items", 'pm.environment.set("first", pm.response.json()[0].id)'),
            _request("Read", "GET", one),
        ],
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{token}}"}]},
    }  # fmt: skip
    brought = script_of(read_postman(collection, "c"), Choice(TARGET))
    text = scenario_text(brought, "A collection.")
    compile(text, "scenario", "exec")
    assert 'json={"user": USER, "password": PASSWORD}' in text and brought.secrets == ["PASSWORD", "USER"]
    assert 'self.token = answer.json()["auth"]["token"]' in text and 'self.first = answer.json()[0]["id"]' in text
    assert text.count("/login") == 1 and text.count('self.client.get("/items"') == 2
    assert 'f"/items/{self.first}"' in text and 'name="/items/{id}"' in text


@pytest.mark.parametrize(
    ("script", "variables"),
    [
        ("pm.globals.set('a', pm.response.json().x['y z'][2])", [("a", ("x", "y z", 2))]),
        ('var d = JSON.parse(responseBody);\npostman.setEnvironmentVariable("t", d.token);', [("t", ("token",))]),
        ("const {token} = pm.response.json(); pm.environment.set('t', token)", []),
        ("pm.environment.set('t', pm.response.json().items.find(i => i.a).id)", []),
        ("pm.environment.set('t', 'x')", []),
    ],
)
def test_scripts_are_read_where_they_are_plain(script: str, variables: list[Any]) -> None:
    assert list(set_variables(script)) == variables


def test_what_a_trial_tells_is_left_out_or_refused() -> None:
    material = Material("api.json", TARGET, script_of(read_openapi(DOCUMENT, "api"), Choice(TARGET)))

    def http(operation: str, error: str = "") -> dict[str, str]:
        return {"what": "http", "operation": operation, "error": error}

    good = [http("POST /login"), http("GET /clubs"), http("GET /status"), http("GET /clubs/{slug}")]
    raised = {"what": "raised", "task": "delete_clubs_slug", "error": "KeyError: 'slug'"}
    told = [*good, http("POST /clubs", "HTTP 403"), raised]
    assert left_out(material, told) == {"POST /clubs": "HTTP 403", "DELETE /clubs/{slug}": "its task ends before it"}
    unlisted = [http("POST /login"), http("GET /clubs", "HTTP 500"), http("GET /status")]
    assert set(left_out(material, unlisted)) == {"GET /clubs"}
    with pytest.raises(UsageError, match="no user can begin"):
        left_out(
            material, [http("POST /login", "HTTP 401"), {"what": "raised", "task": "on_start", "error": "KeyError"}]
        )


def test_a_list_that_fails_gives_no_ids() -> None:
    script = script_of(read_openapi(DOCUMENT, "api"), Choice(TARGET))
    script.left_out = {"GET /clubs": "HTTP 500"}
    text = scenario_text(script, "A document.")
    assert 'self.club_slug = "text"' in text and "pick(" not in text


def test_schemas_that_all_refer_to_each_other_are_read_in_a_moment() -> None:
    names = [f"S{number}" for number in range(15)]
    refers = {name: {"$ref": f"#/components/schemas/{name}"} for name in names}
    schemas = {name: _object(refers) for name in names}
    paths = {"/a": {"get": _answering(refers["S0"])}, "/a/{id}": {"get": {}}, **_login(refers, refers)}
    document = {
        "openapi": "3.0.0", "security": [{"it": []}], "paths": paths,
        "components": {"securitySchemes": {"it": BEARER}, "schemas": schemas},
    }  # fmt: skip
    text_of(read_openapi(document, "api"))


KEYS = st.sampled_from(
    ["token", "id", "items", "type", "properties", "schema", "$ref", "flows", "password", "tokenUrl", "x y"]
)
TREES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["object", "array", "string", "#/paths", "oauth2", "/login"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(TREES, TREES, TREES)
def test_no_login_list_or_scheme_whatever_it_is_ends_in_anything_but_a_scenario_or_a_message(
    scheme: Any, schema: Any, flow: Any
) -> None:
    media = {"content": {"application/json": {"schema": schema}}}
    operation = {"requestBody": media, "responses": {"200": media}, "parameters": schema}
    document = {
        "openapi": "3.0.0", "security": [{"it": []}, {"other": []}],
        "components": {"securitySchemes": {"it": scheme, "other": {"type": "oauth2", "flows": flow}}},
        "paths": {"/items": {"get": operation}, "/items/{id}": {"delete": operation}, "/login": {"post": operation}},
    }  # fmt: skip
    try:
        text_of(read_openapi(document, "api"))
    except UsageError:
        return


def test_a_cookie_and_a_bare_token_of_curl_are_secrets_that_are_known(tmp_path: Path) -> None:
    (tmp_path / "calls.sh").write_text(
        f"curl {TARGET}/a -b 'session=s-4711; theme=dark'\ncurl {TARGET}/b -H 'Authorization: bare-4711'\n"
    )
    brought = script_of(read_files([str(tmp_path / "calls.sh")]))
    text = scenario_text(brought, "Calls.")
    assert 'headers={"cookie": f"session={SESSION}"}' in text and 'headers={"authorization": TOKEN}' in text
    assert brought.secret_values == {"SESSION": "s-4711; theme=dark", "TOKEN": "bare-4711"} and "4711" not in text
