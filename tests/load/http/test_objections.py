"""What an answer of a good status says against itself: known forms of errors, and nothing that only looks like one."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbz.protocols.objections import content_of, error_in, is_login, objection_in

ERRORS = {
    '{"error": "database is locked", "code": 17}': "error: database is locked",
    '{"error": {"code": "db_down"}}': "error: db_down",
    '{"error": true, "message": "no"}': "error",
    '{"error": 1, "msg": "no"}': "error: 1",
    '{"errors": [{"message": "no such field"}], "data": null}': "errors: no such field",
    '{"errors": {"name": ["is too short"]}}': "errors",
    '{"success": false, "message": "not allowed"}': "success: false: not allowed",
    '{"ok" : false}': "ok: false",
    '{"status": "error", "message": "boom"}': "status: error: boom",
    '{"status": "fail", "data": {"title": "is needed"}}': "status: fail",
    '{"statusCode": 500, "message": "Internal server error"}': "statusCode: 500: Internal server error",
    '{"type": "about:blank", "title": "Out of stock", "status": 409}': "status: 409: Out of stock",
    '{"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "Method not found"}}': "error: Method not found",
    '[{"jsonrpc": "2.0", "id": 1, "result": 1}, {"jsonrpc": "2.0", "id": 2, "error": {"code": -1, "message": "m"}}]': (
        "error: m"
    ),
    '{"status": "error"}': "status: error",
    '{"id": "1", "type": "error", "payload": [{"message": "no such field"}]}': "type: error: no such field",
    '{"type": "connection_error", "payload": {"message": "who are you?"}}': "type: connection_error: who are you?",
    '{"status": "error", "code": 500}': "status: error: 500",
    '{"code": 401, "message": "token expired"}': "code: 401: token expired",
    '{"code": 50001, "msg": "internal error", "data": null}': "code: 50001: internal error",
    '{"code": "404", "msg": "no such user", "data": {}}': "code: 404: no such user",
    '\r\n {"fault": {"faultstring": "Quota exceeded"}}': "fault: Quota exceeded",
}
NO_ERRORS = (
    '{"error": null, "items": []}',
    '{"error": false}',
    '{"error": ""}',
    '{"error": {}, "errors": []}',
    '{"error": {"code": 0, "message": ""}}',
    '{"error": "none"}',
    '{"requests": 100, "errors": 3}',
    '{"error": 0.25, "setpoint": 20}',
    '{"status": "failed"}',
    '{"id": 7, "name": "nightly", "status": "failed", "error": "timeout"}',
    '{"status": 404}',
    '{"type": "error", "count": 3}',
    '{"type": "error_rate", "message": "a kind of chart"}',
    '{"status": "error", "job": 3, "progress": 0.7}',
    '{"code": 200, "message": "done", "data": null}',
    '{"code": 0, "msg": "success", "data": null}',
    '{"code": 40001, "msg": "success"}',
    '{"code": 404, "name": "Not Found, a street"}',
    '{"code": 44137, "message": "a parcel for you", "data": [1]}',
    '{"code": "DE", "message": "Germany"}',
    '{"code": 500000000, "message": "a long number"}',
    '{"items": [{"error": "an old one", "success": false}]}',
    '[{"error": "of one of them"}]',
    '"error"',
    "",
)
PAGES = {
    "<html><head><title>502 Bad Gateway</title></head><center>nginx</center></html>": "an error page: 502 Bad Gateway",
    "<!DOCTYPE html><title>\n Sign in · Shop </title>": "a login page: Sign in · Shop",
    "<html>Please sign in</html>": "a login page: Please sign in",
    "<title>Just a moment...</title>": "an error page: Just a moment...",
    '<?xml version="1.0"?><soap:Envelope><soap:Body><soap:Fault>': "an XML fault",
    "<Error><Code>SlowDown</Code></Error>": "an XML fault",
    "<h1>Whitelabel Error Page</h1>": "an error page: Whitelabel Error Page",
    "<title>We're sorry, but something went wrong (500)</title>": (
        "an error page: We're sorry, but something went wrong (500)"
    ),
    "<title>Server Error in '/' Application.</title>": "an error page: Server Error in '/' Application.",
    "<br />\n<b>Fatal error</b>:  Uncaught PDOException in /www/a.php on line 3": (
        "text: Fatal error: Uncaught PDOException in /www/a.php on line 3"
    ),
    "ERROR: could not connect to database": "text: ERROR: could not connect to database",
    "Traceback (most recent call last):\n  File": "text: Traceback (most recent call last): File",
    "java.lang.NullPointerException: name": "text: java.lang.NullPointerException: name",
    "Uncaught TypeError: x is not a function": "text: Uncaught TypeError: x is not a function",
    "Errors are rare: we look at each": "",
    "error: 0\nwarnings: 3": "",
    "<p>What to do about <b>warning</b> lights</p>": "",
    "<title>Posts</title>": "",
    "<title>Room 404</title><p>404</p>": "",
    "<html><p>" + "How to sign in to a club, and what errors mean. " * 10: "",
    "Bad Gateway\n": "text: Bad Gateway",
    "all good": "",
}


@pytest.mark.parametrize(("body", "expected"), [*ERRORS.items(), *((body, "") for body in NO_ERRORS)])
def test_json_says_an_error_or_does_not(body, expected):
    assert objection_in(body.encode(), "application/json") == expected
    if body.strip().startswith(("{", "[")):
        assert error_in(json.loads(body)) == expected, "as in an acknowledgement"


@pytest.mark.parametrize(("body", "expected"), PAGES.items())
def test_a_page_is_that_of_an_error_or_a_login_or_neither(body, expected):
    assert objection_in(body.encode(), "text/html; charset=utf-8") == expected


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=9), max_size=5),
    st.integers(0, 90_000),
    st.data(),
)
def test_json_that_is_cut_off_is_found_whatever_its_size(tree, filling, data):
    body = json.dumps({**tree, "filling": "x" * filling}).encode()
    assert not objection_in(body + b"\r\n", "application/json; charset=utf-8")
    cut = body[: data.draw(st.integers(1, len(body) - 1))]
    assert objection_in(cut, "application/vnd.api+json") == "JSON that is cut off" or cut.endswith(b"}")
    assert not objection_in(cut, "text/plain"), "nobody said that it is JSON"


def test_a_page_that_is_called_json_is_none():
    page = b"<html><title>Posts</title></html>"
    assert objection_in(page, "application/json") == "a page, and no JSON as its type says"
    assert objection_in(page, "text/html") == "" == objection_in(b'{"a": 1}\n{"b"', "application/x-ndjson")


def test_a_login_that_was_asked_for_is_no_objection():
    body = b"<title>Sign in</title>"
    assert objection_in(body, "text/html") and not objection_in(body, "text/html", asked_for_login=True)
    paths = (
        "/login",
        "/api/auth/login?next=/",
        "/users/sign_in",
        "http://a.test/oauth2/authorize",
        "/blogin",
        "/posts",
    )
    assert [is_login(path) for path in paths] == [True, True, True, True, False, False]


WORDS = st.sampled_from(
    (
        *("error", "errors", "fault", "exception", "success", "ok", "status", "statusCode", "message", "data", "code"),
        *("id", "jsonrpc", "fail", "2.0", "", "none", "x", "type", "payload", "connection_error"),
    )
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-600, 600) | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=600, deadline=None)
@given(VALUES, st.sampled_from((None, 1)), st.sampled_from(((",", ":"), (", ", ": "))))
def test_a_body_is_read_only_where_it_may_say_an_error_and_then_no_error_is_missed(value, indent, separators):
    body = json.dumps(value, indent=indent, separators=separators).encode()
    if isinstance(value, dict | list):
        assert objection_in(body, "application/json") == error_in(value)


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=200), st.sampled_from((b"", b"<", b"{", b"[{", b"<title>", b'{"error":')), st.text(max_size=20)
)
def test_nothing_that_a_server_can_send_raises(rest, start, content_type):
    assert isinstance(objection_in(start + rest, content_type), str)
    assert content_of(len(rest), content_type) in ("empty", "JSON", "HTML", "other")
