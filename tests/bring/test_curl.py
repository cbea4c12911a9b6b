"""curl commands: each is run by curl itself, and what it sent is what was read of it."""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.bring.files.curl.options import SHORT, WITH_VALUE
from dbz.bring.files.curl.reading import read_curl
from dbz.bring.files.curl.words import UnclosedTextError, commands_of
from dbz.bring.files.opening import read_content
from dbz.bring.recording import FORM, JSON, MULTIPART, TEXT, Exchange
from dbz.errors import UsageError

_CURL = shutil.which("curl")
Sent = tuple[str, str, dict[str, str], bytes]


class _Listener(http.server.BaseHTTPRequestHandler):
    """Keeps what it is sent."""

    heard: list[Sent] = []  # noqa: RUF012

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._any
        raise AttributeError(name)

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.heard.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Listener) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


COMMANDS = [
    "curl -sX POST {o}/a -d x=1",
    "curl -sSLkXPUT {o}/a",
    "curl -vd x=1 -d 'y=a b' {o}/a",
    "curl -D /dev/null --max-redirs 5 --retry-delay 2 -m 5 -o /dev/null -w '%{{http_code}}' {o}/a",
    "curl --oauth2-bearer abc {o}/a",
    "curl -u user:pa:ss {o}/a",
    "curl {u}/a",
    'curl -H \'Content-Type: application/json\' -d \'{{\n  "a": 1,\n  "b": "x y"\n}}\' {o}/a',
    'curl {o}/a -H \'content-type: application/json\' --data-raw $\'{{"a":"it\\\'s","b":"x\\u0021\\\\ny"}}\'',
    "curl {o}/a -d '{{\"a\":1}}'",
    "curl --json '{{\"a\":' --json '1}}' {o}/a",
    "curl {o}/a {o}/b",
    "curl {o}/a -d x=1 --next -H 'X-B: 2' {o}/b",
    "curl -d '' {o}/a",
    "curl -G {o}/a -d q=1 --data-urlencode 'name=a b&c' --data-urlencode 'z=ä ö'",
    "curl --url-query 'z=a b' --url-query '+c=%20' '{o}/a?d=1'",
    "curl -d q --data-urlencode 'a b' --data-urlencode '=c=d' {o}/a?e=f",
    "curl -A agent -e 'http://ref/;auto' -r 0-99 {o}/a",
    "curl -b 'a=1; b=2' -H 'X-Empty;' -H 'Accept:' {o}/a",
    "curl -X PATCH --data-binary 'raw  body' -H 'Content-Type: text/plain' {o}/a",
    "curl -I {o}/a",
    'curl "{o}/a?x=1&y=\\"2\\"" # a comment -X POST',
    "curl {o}/a | cat; curl -s {o}/b > /dev/null 2>&1 && curl {o}/c &",
    "curl \\\n  -H 'X-A: 1' \\\n  {o}/a",
    "X=1 curl {o}/a",
    "echo $(curl -s {o}/inner) && curl {o}/outer",
    'curl -d @- {o}/a <<\'EOF\'\n{{"a": "$b"}}\nEOF\ncurl {o}/b',
    "curl --data-raw @literal {o}/a",
    "curl -- {o}/a",
    "curl -F a=1 -F 'b=two words;type=text/plain' {o}/a",
    "curl {o}/'with'\"out\"\\ gap",
]


@pytest.mark.skipif(_CURL is None, reason="curl is not installed")
@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_read_is_what_curl_sends(origin: str, command: str) -> None:
    text = command.format(o=origin, u=origin.replace("://", "://me:p%40w@"))
    if "gap" in text:
        text = text.replace("\\ ", "%20")
    _Listener.heard.clear()
    subprocess.run(["bash", "-c", text + "\nwait"], check=False, capture_output=True, timeout=20)
    read = read_content(text.encode(), "it").exchanges
    heard = sorted(_Listener.heard, key=lambda one: one[1]) if text.endswith("&") else _Listener.heard
    # This curl writes what it encodes in small letters.
    asked = [(one[0], re.sub(r"%..", lambda match: match[0].upper(), one[1])) for one in heard]
    assert asked == [(one.method, _path(one)) for one in read]
    for sent, exchange in zip(heard, read, strict=True):
        if "curl" in sent[2].get("user-agent", "curl"):
            assert exchange.header("user-agent") == ""
        for name, value in exchange.headers:
            assert sent[2][name] == value
        for name in ("authorization", "cookie", "referer", "range", "x-a", "x-b", "x-empty"):
            assert sent[2].get(name, "") == exchange.header(name)
        _same_body(sent, exchange)


def _path(exchange: Exchange) -> str:
    url = urlsplit(exchange.url)
    return url.path + (f"?{url.query}" if url.query else "")


def _same_body(sent: Sent, exchange: Exchange) -> None:
    _, _, headers, raw = sent
    kind, value = exchange.body.kind, exchange.body.value
    if kind == JSON:
        assert json.loads(raw) == value
    elif kind == FORM:
        assert parse_qsl(raw.decode(), keep_blank_values=True) == value
    elif kind == TEXT:
        assert raw.decode() == value
    elif kind == MULTIPART:
        found = re.findall(rb'name="([^"]*)".*?\r\n\r\n(.*?)\r\n--', raw, re.DOTALL)
        assert [(name.decode(), text.decode()) for name, text in found] == value
    else:
        assert raw == b""
    if kind in (JSON, FORM, TEXT):
        assert headers["content-type"].partition(";")[0] == exchange.body.media_type


@pytest.mark.skipif(_CURL is None, reason="curl is not installed")
def test_every_option_of_the_installed_curl_is_known_with_or_without_its_value() -> None:
    assert _CURL
    said = subprocess.run([_CURL, "--help", "all"], capture_output=True, text=True, timeout=20, check=True).stdout
    lines = re.findall(r"^ {1,5}(?:-(.), )?--([a-z0-9.-]+)( [<\[]\S+)?", said, re.MULTILINE)
    assert len(lines) > 100
    for short, name, value in lines:
        if name != "help":
            assert (name in WITH_VALUE) == bool(value), name
            if value and short:
                assert SHORT[short] == name


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=12)


@given(st.lists(WORDS, min_size=1, max_size=5))
def test_words_in_quotes_are_what_a_shell_makes_of_them(words: list[str]) -> None:
    quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in words)
    assert commands_of(quoted)[0][0].words == words


@given(st.text(st.sampled_from("curl -dX'\"\\$({})<>;&|#\n^@=a"), max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(UsageError):
        read_curl(f"curl {text}", "it")
    with contextlib.suppress(UnclosedTextError):
        commands_of(text)


def test_a_command_copied_for_windows_is_read() -> None:
    text = (
        'curl ^"http://h/a?b=1^&c=2^" ^\r\n  -H ^"accept: */*^" ^\r\n'
        '  --data-raw ^"^{^\\^"a^\\^":^\\^"100^%^ b^\\^"^}^" ^\r\n  -H ^"content-type: application/json^"\r\n'
    )
    (found,) = read_content(text.encode(), "it").exchanges
    assert (found.method, found.url) == ("POST", "http://h/a?b=1&c=2") and found.header("accept") == "*/*"
    assert found.body.value == {"a": "100% b"}


def test_what_is_no_url_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'ht\[p' is no URL"):
        read_curl("curl -sXPOST 'ht[p'", "it")


def test_what_is_not_in_a_command_is_said(tmp_path: Path) -> None:
    recording = read_curl(
        "curl -F f=@photo.png -F 'c=text;type=text/plain' http://h/a\ncurl --digest -u a:b -T big.bin http://h/b\n"
        'curl -H "Authorization: Bearer $TOKEN" "$BASE/c?d=[1-3]"\ncurl -b jar.txt http://h/d/{x,y}\n',
        "it",
    )
    first, second, third, fourth = recording.exchanges
    assert first.body.value == [("f", "photo.png"), ("c", "text")] and second.method == "PUT"
    assert third.url == "/c?d=1" and third.header("authorization") == "Bearer <TOKEN>"
    assert fourth.url == "http://h/d/x" and fourth.header("cookie") == ""
    notes = " ".join(recording.notes)
    for said in ("photo.png", "big.bin", "--digest", "jar.txt", "TOKEN, BASE", "of which the first", "names no server"):
        assert said in notes
