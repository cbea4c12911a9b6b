"""From recordings to scenarios: names of operations, values taken from answers, secrets, and measured messages."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.bring.choosing import Choice
from dbz.bring.files.har import read_har
from dbz.bring.files.opening import read_files
from dbz.bring.names import PathTemplates, snake
from dbz.bring.recording import Recording
from dbz.bring.script import script_of
from dbz.bring.steps import HttpStep, Script
from dbz.bring.values import Expression, Formatted, code, leaves, lookup, value_at
from dbz.bring.writing.scenario import scenario_text
from dbz.errors import UsageError
from tests.bring.material import entry, har

FILES = Path(__file__).parent / "files"


def script(*entries: dict[str, Any], choice: Choice = Choice()) -> Script:  # noqa: B008 a frozen value
    """The script of a session of these entries, two seconds apart where they do not say when."""
    timed = [
        {**one, "startedDateTime": f"2026-01-31T12:00:{2 * number:02}Z"}
        if one["startedDateTime"].endswith("00:00.000Z")
        else one
        for number, one in enumerate(entries)
    ]
    return script_of(read_har(har(*timed), "session.har"), choice)


def text_of(*entries: dict[str, Any]) -> str:
    """The scenario of a session; it is valid Python."""
    text = scenario_text(script(*entries), "A session.")
    compile(text, "scenario", "exec")
    return text


def names(script: Script) -> list[str]:
    """The operations of a script, in their order."""
    return [step.operation for flow in script.flows for step in flow.steps if isinstance(step, HttpStep)]


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/posts/17", "/posts/{id}"),
        ("/users/user0042/posts", "/users/{id}/posts"),
        ("/a/5f2c9a7b3d1e/b", "/a/{id}/b"),
        ("/o/123e4567-e89b-12d3-a456-426614174000", "/o/{id}"),
        ("/rooms/room:club07/messages", "/rooms/{id}/messages"),
        ("/api/v1/posts", "/api/v1/posts"),
        ("/robots", "/robots"),
        ("/", "/"),
    ],
)
def test_ids_are_left_out_of_names_and_kinds_are_not(path: str, template: str) -> None:
    assert PathTemplates([path]).of(path) == template


def test_a_part_in_which_three_paths_differ_is_an_id_whatever_it_looks_like() -> None:
    paths = [f"/teams/{name}/games" for name in ("reds", "blues", "greens")]
    assert {PathTemplates(paths).of(path) for path in paths} == {"/teams/{id}/games"}
    assert PathTemplates(paths[:2]).of(paths[0]) == "/teams/reds/games"


@given(st.text(max_size=20))
def test_any_text_becomes_a_name_of_python(text: str) -> None:
    assert snake(text).isidentifier()


def test_a_token_of_the_login_is_taken_from_the_answer_of_the_run() -> None:
    text = text_of(
        entry(
            "POST",
            "/login",
            {"access_token": "tok-12345678", "user": {"id": 7}},
            sent={"name": "ann", "password": "hunter22"},
        ),
        entry("GET", "/users/7/posts", {"items": []}, headers={"Authorization": "Bearer tok-12345678"}),
    )
    assert 'self.access_token = answer.json()["access_token"]' in text
    assert 'headers={"authorization": f"Bearer {self.access_token}"}' in text
    assert 'self.user_id = answer.json()["user"]["id"]' in text and 'f"/users/{self.user_id}/posts"' in text
    assert "tok-12345678" not in text and "hunter22" not in text
    assert 'PASSWORD = secret("PASSWORD")' in text and '"name": "ann"' in text


def test_an_id_out_of_a_list_a_cursor_and_an_id_in_a_body_are_taken_too() -> None:
    text = text_of(
        entry("GET", "/posts", {"items": [{"id": 4711, "title": "a"}], "next_cursor": "c-99x"}),
        entry("GET", "/posts?cursor=c-99x", {"items": []}),
        entry("POST", "/posts/4711/comments", {}, sent={"postId": 4711, "text": "well"}),
    )
    assert 'answer.json()["items"][0]["id"]' in text and 'answer.json()["next_cursor"]' in text
    assert 'params={"cursor": self.next_cursor}' in text
    assert '"postId": self.post_id' in text and 'name="/posts/{id}/comments"' in text


def test_what_the_user_said_itself_is_no_correlation() -> None:
    text = text_of(
        entry("POST", "/search", {"query": "court-number-5"}, sent={"query": "court-number-5"}),
        entry("POST", "/search", {}, sent={"query": "court-number-5"}),
    )
    assert text.count('"court-number-5"') == 2 and "self.query" not in text


def test_a_token_in_a_form_a_cookie_and_a_header_are_found() -> None:
    form = '<form><input type="hidden" name="csrf" value="f0rm-t0ken-1"></form>'
    text = text_of(
        entry(
            "GET", "/form", form, media_type="text/html", answer_headers=[("Set-Cookie", "xsrf=c00kie-v4lue; Path=/")]
        ),
        entry("POST", "/send", {}, sent={"csrf": "f0rm-t0ken-1"}, answer_headers=[("X-Request-Token", "h3ader-t0ken")]),
        entry("POST", "/again", {}, headers={"X-XSRF": "c00kie-v4lue", "X-Request-Token": "h3ader-t0ken"}),
    )
    assert "re.search(" in text and "import re" in text
    pattern = re.search(r"re\.search\(r'''(.*)''', answer\.text\)", text)
    assert pattern
    matched = re.search(pattern[1], form)
    assert matched and matched[1] == "f0rm-t0ken-1"
    assert '"x-xsrf": self.client.cookies.get("xsrf")' in text
    assert 'self.x_request_token = answer.headers["x-request-token"]' in text


def test_pauses_are_those_of_the_recording_and_answers_that_were_refusals_are_expected() -> None:
    text = text_of(
        entry("GET", "/a", {}, at_s=1),
        entry("GET", "/b", {}, at_s=11, status=404),
        entry("GET", "/c", {}, at_s=11.05),
    )
    assert text.count("self.pause(") == 1 and "self.pause(7.0, 13.0)" in text
    assert "if answer.status_code == 404:" in text


@pytest.mark.parametrize("status", [408, 425, 429, 444, 499, 500, 502, 503, 504])
def test_a_failure_that_was_recorded_is_no_right_answer(status: int) -> None:
    made = script(entry("GET", "/a", {}), entry("GET", "/b", {}, status=status), entry("GET", "/c", {}, status=401))
    (note,) = (note for note in made.notes if "failed" in note)
    assert note.startswith(f"1 request had failed when recorded ({status})")
    text = text_of(entry("GET", "/b", {}, status=status), entry("GET", "/c", {}, status=401))
    assert text.count("catch_response") == 1 and f"== {status}" not in text and "== 401:" in text


def test_third_parties_statics_and_preflights_are_left_out_and_that_is_said() -> None:
    entries = (
        entry("GET", "/api/a", {}),
        entry("GET", "/api/b", {}),
        entry("GET", "/app.js", "x", media_type="text/javascript"),
        entry("GET", "https://stats.example.com/collect", {}),
        entry("OPTIONS", "/api/a", "", headers={"Access-Control-Request-Method": "GET"}),
    )
    brought = script(*entries)
    assert names(brought) == ["GET /api/a", "GET /api/b"]
    assert any("stats.example.com" in note for note in brought.notes) and any(
        "--statics" in note for note in brought.notes
    )
    assert "GET /app.js" in names(script(*entries, choice=Choice(statics=True)))
    with pytest.raises(UsageError, match="nothing of the recording is left"):
        script(entries[2])


def test_the_headers_of_browsers_are_left_to_the_client() -> None:
    headers = {
        "User-Agent": "M",
        "Accept-Encoding": "gzip",
        "Sec-Fetch-Mode": "cors",
        "Cookie": "a=b",
        "X-Tenant": "t1",
    }
    text = text_of(entry("GET", "/a", {}, headers=headers))
    assert 'headers={"x-tenant": "t1"}' in text


@pytest.mark.parametrize(
    ("accept", "kept"),
    [
        ("application/json", True),
        ("application/vnd.club.v2+json; charset=utf-8", True),
        ("text/event-stream", True),
        ("*/*", False),
        ("application/json, text/plain, */*", False),
        ("text/html", False),
        ("image/webp", False),
    ],
)
def test_what_an_app_accepts_by_intent_is_sent_too(accept: str, kept: bool) -> None:
    text = text_of(entry("GET", "/a", {}, headers={"Accept": accept, "X-Requested-With": "XMLHttpRequest"}))
    assert (f'"accept": "{accept}"' in text) is kept and '"x-requested-with": "XMLHttpRequest"' in text


def test_a_message_of_one_tab_is_measured_until_the_other_has_it() -> None:
    text = scenario_text(script_of(read_files([str(FILES / "tab1.har"), str(FILES / "tab2.har")])), "Two tabs.")
    compile(text, "scenario", "exec")
    assert text.count("class Visitor") == text.count('seat_group = "visitors"') == 2
    assert text.count('self.deliveries.sent("said", self.room_id, key, self.seat)') == 4
    assert text.count('self.deliveries.received("said", arguments[0]["room"], arguments[0]["id"], self.seat)') == 2
    assert text.count('self.deliveries.join("said", self.room_id, self.seat)') == 2
    assert '{"room": self.room_id, "id": key, "text": "hi 0"}' in text
    assert 'self.socket.call("enter", self.room_id)' in text


def test_one_tab_alone_has_nobody_to_measure_with() -> None:
    text = scenario_text(script_of(read_files([str(FILES / "tab1.har")])), "One tab.")
    assert "deliveries" not in text and '"text": "hi 0"' in text


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=30,
)


@given(JSON_VALUES)
def test_a_tree_written_as_python_is_the_tree(tree: Any) -> None:
    assert eval(code(tree), {}) == tree


@given(JSON_VALUES)
def test_every_leaf_is_where_its_place_says(tree: Any) -> None:
    for place, value in leaves(tree):
        assert value_at(tree, place) is value or value_at(tree, place) == value
        assert eval(f"tree{lookup(place)}", {"tree": tree}) == value


@given(st.lists(st.text(max_size=10), max_size=4))
def test_a_text_with_expressions_in_it_reads_as_it_was(parts: list[str]) -> None:
    mixed = Formatted([piece for part in parts for piece in (part, Expression("x"))])
    assert eval(code(mixed), {"x": "<1>"}) == "".join(f"{part}<1>" for part in parts)


def test_a_large_recording_is_read_in_seconds() -> None:
    body = json.dumps({"items": [{"id": number, "text": "x" * 200} for number in range(100)]})
    large = har(*(entry("GET", f"/posts/{number}", body, at_s=number % 3000) for number in range(400)))
    began_s = time.monotonic()
    recording = Recording()
    recording.add(read_har(large, "large.har"))
    assert len(names(script_of(recording))) == 400
    assert time.monotonic() - began_s < 60  # not a speed, only that it does not grow with the square of the size


def connection(at_s: float, *messages: tuple[str, str], path: str = "/socket.io/", query: str = "") -> dict[str, Any]:
    """A WebSocket of Socket.IO with these messages, sent or received."""
    url = f"ws://127.0.0.1:8080{path}?EIO=4&transport=websocket{query}"
    listed = [{"time": 1769860800 + at_s, "opcode": 1, "type": kind, "data": data} for kind, data in messages]
    return {**entry("GET", url, "", at_s=at_s), "_webSocketMessages": listed}


def test_a_socket_goes_where_the_recorded_one_went() -> None:
    usual = text_of(connection(1, ("send", "40"), ("send", '42["enter","r1"]')))
    assert "SocketOptions" not in usual and "self.socket.connect()" in usual
    for path in ("/live/", "/live"):
        text = text_of(connection(1, ("send", "40"), ("send", '42["enter","r1"]'), path=path, query="&tenant=north"))
        assert "from dbz.users import SocketOptions, SocketUser, between, task" in text
        assert f'self.socket.options = SocketOptions(path="{path}", query={{"tenant": "north"}})' in text


CREDENTIAL = st.text("bcdfghjklmnpqrstvwxz-", min_size=12, max_size=40)
"""Without vowels, so that none is a part of a word that scenarios have anyway."""
KEY = st.sampled_from(("pass", "jwt", "accessPass", "who", "hall key", "passphrase", "t"))


@given(CREDENTIAL, KEY, KEY, st.booleans())
def test_what_a_socket_authenticates_with_is_in_no_scenario(
    credential: str, brought: str, sent: str, from_an_answer: bool
) -> None:
    """Also where no digit tells a credential from a word, and whatever the app calls it."""
    answer = {brought: credential, "note": "welcome"} if from_an_answer else {"note": "welcome"}
    headers = {"authorization": f"Bearer {credential}"}
    login, read = entry("POST", "/enter", answer, at_s=1), entry("GET", "/lots", [], headers=headers, at_s=2)
    socket = connection(3, ("send", "40" + json.dumps({sent: credential})), ("send", '42["enter","r1"]'))
    made = script(login, read, socket)
    text = scenario_text(made, "A session.")
    compile(text, "scenario", "exec")
    assert credential not in text
    assert list(made.secret_values.values()) == ([] if from_an_answer else [credential])
    assert text.count("answer.json()") == from_an_answer


def test_a_connection_that_was_refused_is_not_the_one_that_is_made() -> None:
    refused = connection(1, ("send", '40{"token":"no-1234567"}'), ("receive", '44{"message":"log in first"}'))
    lasting = connection(2, ("send", '40{"token":"yes-1234567"}'), ("send", '42["enter","r1"]'))
    brought = script_of(read_har(har(refused, lasting), "session.har"))
    assert brought.secret_values == {"TOKEN": "yes-1234567"}
    assert scenario_text(brought, "A session.").count("self.socket.connect(") == 1
