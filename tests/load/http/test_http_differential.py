"""The HTTP client judged by requests and httpx: answers of a server, and what is sent for what a scenario asks for."""

import io
import json
import random
import re
import time
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import httpx
import pytest
import requests
from requests.auth import HTTPBasicAuth, HTTPDigestAuth

from dbz.load.generator.http.request.bodies import encode_json
from dbz.load.generator.http.request.urls import prepare_url
from dbz.load.generator.net.faults import BadUrl
from tests.load.http_answers import Answer, answers
from tests.load.http_clients import client_of, deadline_sweep  # noqa: F401 a fixture
from tests.load.raw_server import read_request, response, serving
from tests.whole import WHOLE

pytestmark = pytest.mark.usefixtures("deadline_sweep")

ANSWERS = 200 if WHOLE else 80
STRICTER = {
    "cut off in its coding": "a body that ends before its coding does is not a whole one, though both peers take it",
    "more than its body": "a server that says more than it was asked is wrong about one of its answers",
}
"""Where this client finds a failure and the peers may not; each with the reason."""
KINDER = {
    "padding after its coding": "browsers pass it over; the peers do for some codings only",
    "coding zstd": "requests knows it with an optional library only",
    "interim answers": "http.client takes a 103 for the final answer",
}
"""Where this client finds an answer and one of the peers may not; each with the reason."""

Outcome = tuple[int, bytes, dict[str, str]] | None
"""Status, body, header fields; None for a failure."""


def fields(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in pairs:
        words = " ".join(value.split())
        joined[name.lower()] = f"{joined[name.lower()]}, {words}" if name.lower() in joined else words
    return {name: value for name, value in joined.items() if name not in ("content-length", "transfer-encoding")}


def by_requests(method: str, url: str) -> Outcome:
    try:
        answer = requests.request(method, url, allow_redirects=False, timeout=30)
    except (requests.RequestException, ValueError):
        return None
    return answer.status_code, answer.content, fields(answer.headers.items())


def by_httpx(method: str, url: str) -> Outcome:
    try:
        answer = httpx.request(method, url, timeout=5, trust_env=False)
    except (httpx.HTTPError, ValueError):
        return None
    raw = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.headers.raw)
    return answer.status_code, answer.content, fields(raw)


def by_dbz(client: Any, method: str, url: str) -> Outcome:
    answer = client.request(method, url, allow_redirects=False)
    if answer.error and not answer.error.startswith("HTTP "):
        return None
    return answer.status_code, answer.content, fields(answer.headers.items())


def judgement(case: Answer, ours: Outcome, peers: list[Outcome]) -> str:
    """What is wrong with ours; empty when it is one of the peers', or differs for a reason that is listed."""
    if ours in peers:
        return ""
    if ours is None and case.traits & STRICTER.keys():
        return ""
    if ours is not None and case.traits & KINDER.keys() and any(peer is None or peer[1] != ours[1] for peer in peers):
        return ""
    return f"ours {ours}, requests and httpx {peers}"


@pytest.mark.parametrize(("seed", "pieces"), [(1, False), (2, True)])
def test_answers_are_judged_as_requests_or_httpx_judge_them(seed, pieces):
    cases = list(answers(seed, ANSWERS))

    def talk(connection):
        if request := read_request(connection):
            raw = cases[int(request.split(b" ")[1][1:])].raw
            cuts = sorted(random.Random(raw).choices(range(len(raw) + 1), k=3)) if pieces else []
            for start, end in pairwise([0, *cuts, len(raw)]):
                connection.sendall(raw[start:end])
                time.sleep(0.002 if pieces else 0)

    wrong = []
    with serving(talk) as server:
        client, _ = client_of(server.url)
        for number, case in enumerate(cases):
            url = f"{server.url}/{number}"
            ours = by_dbz(client, case.method, url)
            why = judgement(case, ours, [by_requests(case.method, url), by_httpx(case.method, url)])
            if (
                not why
                and ours is not None
                and "padding after its coding" in case.traits
                and ours[1][:2] == b"\x1f\x8b"
            ):
                why = "it was not decoded"
            if why:
                wrong.append((number, case.method, sorted(case.traits), why))
        client.close()
    assert not wrong


@pytest.mark.parametrize("trait", ["cut off in its head", "cut off in its body", "a wrong chunk", "two lengths"])
def test_an_answer_that_was_cut_off_is_never_a_success(trait):
    cases = [
        case
        for case in answers(3, 4000)
        if trait in case.traits and case.method != "HEAD" and b" 204" not in case.raw and b" 304" not in case.raw
    ][:20]
    assert len(cases) > 5

    def talk(connection):
        if request := read_request(connection):
            connection.sendall(cases[int(request.split(b" ")[1][1:])].raw)

    with serving(talk) as server:
        client, ledger = client_of(server.url)
        for number, case in enumerate(cases):
            client.request(case.method, f"/{number}")
        client.close()
    assert all(error and not error.startswith("HTTP ") for _, error in ledger.rows)


PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200))
ASKED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "params": ("GET", "/a", {"params": {"a": 1, "b": "x y&=ä", "c": None, "d": [1, None, "2"], "e": True}}),
    "params as pairs": ("GET", "/a?z=0", {"params": [("a", 1), ("a", 2), (b"k", b"v")]}),
    "params as text": ("GET", "/a", {"params": "a=1&b=x y"}),
    "params as bytes": ("GET", "/a", {"params": b"a=1"}),
    "params before a fragment": ("GET", "/a?b=1#part", {"params": {"c": 2}}),
    "params empty": ("GET", "/a", {"params": {}}),
    "a lone percent": ("GET", "/100%", {}),
    "percent encodings": ("GET", "/%41%2fb%7E%c3%a4?q=%41%2f+%20", {}),
    "text that is no ASCII": ("GET", "/größe/ä?ö=ü#x", {}),
    "what must be quoted": ("GET", '/a b"<>\\^`{|}[]?q= "<>\\^`{|}[]', {}),
    "dot segments": ("GET", "/a/./b/../c/%2e%2e/d?x=/../y", {}),
    "two slashes": ("GET", "//a//b", {}),
    "no path": ("GET", "", {"params": {"a": 1}}),
    "a query only": ("GET", "?a=1", {}),
    "sub-delimiters": ("GET", "/a;b=1,2!$&'()*+:@?c;d=1,2!$&'()*+:@/?", {}),
    "a lower-case method": ("get", "/a", {}),
    "a method of its own": ("PURGE", "/a", {}),
    "headers": ("GET", "/a", {"headers": {"X-A": "v", "X-B": b"bytes", "Accept": None, "X-None": None, "x-c": "ä"}}),
    "cookies": ("GET", "/a", {"cookies": {"a": "1", "b": "x"}}),
    "a cookie jar": ("GET", "/a", {"cookies": requests.cookies.cookiejar_from_dict({"a": "1"})}),
    "a form": ("POST", "/a", {"data": {"a": 1, "b": "x y", "c": None, "d": ["1", "ä"]}}),
    "a form of pairs": ("POST", "/a", {"data": [("a", "1"), ("a", "2")]}),
    "an empty form": ("POST", "/a", {"data": {}}),
    "text": ("POST", "/a", {"data": "größe"}),
    "bytes": ("PUT", "/a", {"data": PNG}),
    "a bytearray": ("PUT", "/a", {"data": bytearray(b"abc")}),
    "JSON": ("POST", "/a", {"json": {"a": [1, 2.5, None, True, "ä"], "b": {}}}),
    "JSON that is odd": ("PATCH", "/a", {"json": {1: "number", "big": 2**70, "half": "\ud83c"}}),
    "an empty JSON object": ("POST", "/a", {"json": {}}),
    "JSON null": ("POST", "/a", {"json": None}),
    "data before JSON": ("POST", "/a", {"json": {"a": 1}, "data": {"b": 2}}),
    "empty data beside JSON": ("POST", "/a", {"json": {"a": 1}, "data": {}}),
    "a body in a DELETE": ("DELETE", "/a", {"json": {"a": 1}}),
    "a body in a GET": ("GET", "/a", {"data": "x"}),
    "Basic": ("GET", "/a", {"auth": ("me", "p:w")}),
    "Basic in bytes": ("GET", "/a", {"auth": (b"me", b"\xe4")}),
    "an authentication object": ("GET", "/a", {"auth": HTTPBasicAuth("me", "pw")}),
    "a content type of its own": ("POST", "/a", {"data": "{}", "headers": {"content-type": "application/x"}}),
    "files": ("POST", "/a", {"files": {"file": ("a.txt", b"x" * 1000)}}),
    "files with fields": (
        "POST",
        "/a",
        {"files": {"f": ("ä.png", PNG, "image/png", {"X-Part": "1"})}, "data": {"note": "n", "l": [1, 2], "no": None}},
    ),
    "several files": ("POST", "/a", {"files": [("f", ("a", "text")), ("f", ("b", b"bytes")), ("g", "plain")]}),
    "no files": ("POST", "/a", {"files": {}, "data": {"a": 1}}),
}


def sent(raw: bytes) -> tuple[bytes, dict[str, str], Any]:
    """Request line, header fields that are the scenario's, and body of a request, comparable between clients."""
    head, _, body = raw.partition(b"\r\n\r\n")
    line, *rest = head.split(b"\r\n")
    given = fields(tuple(part.decode("latin-1") for part in row.split(b":", 1)) for row in rest)  # type: ignore[misc]
    for name in ("user-agent", "accept-encoding", "connection", "accept" if "Accept" not in str(rest) else ""):
        given.pop(name, None)
    boundary = re.search(r"boundary=(\S+)", given.get("content-type", ""))
    if boundary:
        body = body.replace(boundary[1].encode(), b"BOUNDARY")
        given["content-type"] = given["content-type"].replace(boundary[1], "BOUNDARY")
    if given.get("content-type") == "application/json":
        return line, given, json.loads(body)
    return line, given, body


@pytest.mark.parametrize("asked", ASKED)
def test_what_is_sent_is_what_requests_sends(asked):
    method, path, options = ASKED[asked]
    seen: list[bytes] = []

    def talk(connection):
        while request := read_request(connection):
            seen.append(request)
            connection.sendall(response(b"ok"))

    with serving(talk) as server:
        client, ledger = client_of(server.url)
        assert client.request(method, path, **options).text == "ok"
        client.close()
        requests.Session().request(method, server.url + path, **options)
    assert ledger.rows[0][1] == ""
    assert sent(seen[0]) == sent(seen[1])


@pytest.mark.parametrize(
    "make", [lambda: io.BytesIO(PNG), lambda: io.StringIO("größe"), lambda: iter([b"ab", b"", b"cde"])]
)
def test_files_and_iterables_are_sent_as_requests_sends_them(make):
    seen: list[bytes] = []

    def talk(connection):
        data = b""
        while not (data.endswith((b"0\r\n\r\n", PNG, "größe".encode())) and b"\r\n\r\n" in data):
            data += connection.recv(65536)
        seen.append(data)
        connection.sendall(response(b"ok", "Connection: close"))

    with serving(talk) as server:
        client, _ = client_of(server.url)
        assert client.post("/a", data=make()).text == "ok"
        assert requests.post(f"{server.url}/a", data=make(), timeout=30).text == "ok"
    assert sent(seen[0]) == sent(seen[1])


def test_a_digest_challenge_is_answered():
    seen: list[bytes] = []

    def talk(connection):
        while request := read_request(connection):
            seen.append(request)
            if b"Authorization: Digest" in request:
                connection.sendall(response(b"welcome"))
            else:
                challenge = 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth", algorithm=MD5'
                connection.sendall(response(b"who?", challenge, status="401 Unauthorized"))

    with serving(talk) as server:
        client, ledger = client_of(server.url)
        auth = HTTPDigestAuth("me", "pw")
        answer = client.post("/a?b=1", json={"n": 1}, auth=auth)
        assert client.get("/c", auth=auth).text == "welcome"
        client.close()
    assert answer.text == "welcome" and [hop.status_code for hop in answer.history] == [401]
    assert b'uri="/a?b=1"' in seen[1] and seen[1].endswith(b'{"n":1}')
    assert len(seen) == 3, "the second request knows the nonce"
    assert ledger.rows == [("POST /a", ""), ("GET /c", "")]


@pytest.mark.parametrize(
    ("url", "origin", "target"),
    [
        ("http://bücher.example/ä", ("xn--bcher-kva.example", 80, False), "/%C3%A4"),
        ("HTTPS://Club.Example:8443", ("club.example", 8443, True), "/"),
        ("http://me:p%20w@[::1]:81/a?b#c", ("::1", 81, False), "/a?b"),
        ("http://club.example?x=1", ("club.example", 80, False), "/?x=1"),
        ("http://club.example/a/../../b/.", ("club.example", 80, False), "/b/"),
    ],
)
def test_urls_lead_where_requests_goes(url, origin, target):
    assert prepare_url(url)[:2] == (origin, target)
    theirs = requests.Request("GET", url).prepare()
    assert theirs.path_url == target and httpx.URL(theirs.url).raw_host.decode().strip("[]") == origin[0]


@pytest.mark.parametrize(
    "url", ["http://", "http://*.club.example/", "http://a:b/", "ftp://club.example/", "http://[::1/"]
)
def test_what_requests_takes_for_no_url_is_none_here(url):
    with pytest.raises(BadUrl):
        prepare_url(url)


LOCATIONS = (
    "/next", "next", "./n", "../n", "?q=1", "", "#part", "/n#part", "/n#a=b%20c&d=ä", "//127.0.0.1:{port}/n", "/ä",
    "/a b", "/a%20b", "/%7Ex", "/a;b", "http://127.0.0.1:{port}/n?a=b c", "HTTP://127.0.0.1:{port}/N#part",
    "/..//x", "mailto:x",
)  # fmt: skip
BY_ITSELF = {(301, "PUT"), (301, "PATCH"), (302, "PUT"), (302, "PATCH"), (302, "DELETE")}
"""Here browsers keep the method and its body, and so does this client; requests does not."""


@pytest.mark.parametrize("seed", range(60 if WHOLE else 20))
def test_redirects_lead_where_requests_goes(seed):
    chance = random.Random(seed)
    method = chance.choice(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"])
    options = chance.choice([{}, {"auth": ("u", "p")}, {"cookies": {"k": "v"}}, {"headers": {"X-A": "1"}}])
    if method in ("POST", "PUT", "PATCH"):
        options = {**options, **chance.choice([{}, {"json": {"a": 1}}, {"data": {"a": 1}}])}
    start = chance.choice(["/a/b/c", "/a/b/?x=1", "/a#first"])
    statuses = [status for status in (301, 302, 303, 307, 308, 300, 304) if (status, method) not in BY_ITSELF]
    plan = [(chance.choice(statuses), chance.choice(LOCATIONS)) for _ in range(chance.randint(1, 3))]
    left, seen = [], []

    def talk(connection):
        while request := read_request(connection):
            seen.append(request)
            status, where = left.pop(0) if left else (200, "")
            location = f"Location: {where.format(port=server.port)}\r\n" if left or status != 200 else ""
            connection.sendall(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n{location}\r\n".encode())

    with serving(talk) as server:
        left[:] = plan
        client, _ = client_of(server.url)
        ours = client.request(method, start, allow_redirects=True, **options)
        client.close()
        sent_by_us, seen[:], left[:] = [sent(raw) for raw in seen], [], plan
        try:
            theirs = requests.request(method, server.url + start, allow_redirects=True, **options)
        except requests.RequestException:
            theirs = None
    for _, given, _ in [*sent_by_us, *(by_requests := [sent(raw) for raw in seen])]:
        given.pop("host", None)
    assert sent_by_us == by_requests
    assert (theirs is None) == (ours.error.startswith("BadUrl"))
    if theirs is not None:
        assert (ours.status_code, ours.url) == (theirs.status_code, theirs.url)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"json": {"a": [1, {"b": float("nan")}], "c": None}}, "NaN and infinity are no JSON"),
        ({"json": (float("-inf"),)}, "NaN and infinity are no JSON"),
        ({"json": {1: float("inf")}}, "not JSON compliant"),
        ({"headers": {"X-Who": "☃"}}, "header field 'X-Who' has '☃', which is not Latin-1"),
        ({"data": b"x", "cookies": {"a": "\ud83c"}}, "header field 'Cookie' has"),
    ],
)
def test_what_cannot_be_said_is_a_failure_and_not_sent_otherwise(options, says):
    with serving(lambda connection: read_request(connection)) as server:
        client, ledger = client_of(server.url)
        answer = client.post("/a", **options)
        client.headers["X-Default"] = "☃"
        assert "BadRequest" in client.get("/a").error
        client.close()
    assert answer.error.startswith("BadRequest: ") and says in answer.error
    assert server.connections == 0 and len(ledger.rows) == 2


def test_json_that_has_nulls_is_sent_as_it_is():
    value = {"a": None, "b": [None, 1.5, "null", {"c": None}], "d": (1, None)}
    assert json.loads(encode_json(value)) == json.loads(json.dumps(value))


def test_chunks_that_the_scenario_announced_itself_are_announced_once():
    seen: list[bytes] = []
    with serving(
        lambda connection: seen.append(read_request(connection)) or connection.sendall(response(b"ok"))
    ) as server:
        client, _ = client_of(server.url)
        assert client.post("/a", data=iter([b"abc"]), headers={"transfer-encoding": "chunked"}).text == "ok"
        client.close()
    assert seen[0].lower().count(b"transfer-encoding") == 1 and seen[0].endswith(b"3\r\nabc\r\n0\r\n\r\n")
