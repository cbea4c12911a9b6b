"""Bodies and entries of HAR files as browsers and proxies write them: nothing of them is lost, or it is said."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests import Request

from dbz.bring.files.har import read_har
from dbz.bring.files.multipart import parts_of
from dbz.bring.recording import MULTIPART, TEXT
from dbz.bring.script import script_of
from dbz.bring.writing.scenario import scenario_text
from tests.bring.material import entry, har

NAMES = st.text(st.characters(codec="ascii", categories=("L", "N"), include_characters=" .[]-"), min_size=1, max_size=8)
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=20)


def posted(data: dict[str, Any]) -> dict[str, Any]:
    """An entry that sent this."""
    one = entry("POST", "/up", {})
    one["request"]["postData"] = data
    return one


@given(st.lists(st.tuples(NAMES, VALUES, st.booleans()), min_size=1, max_size=5))
def test_parts_are_those_that_a_client_put_together(fields: list[tuple[str, str, bool]]) -> None:
    files = [(name, (f"{name}.png", value) if is_file else (None, value)) for name, value, is_file in fields]
    sent = Request("POST", "http://h/", files=files).prepare()  # type: ignore[arg-type]
    assert isinstance(sent.body, bytes)
    found = list(parts_of(sent.body, str(sent.headers["content-type"])))
    assert found == [(name, f"{name}.png" if is_file else value) for name, value, is_file in fields]


def test_a_form_with_a_file_is_read_from_its_text_alone_as_chrome_has_it() -> None:
    text = (
        '------B\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n------B\r\nContent-Disposition: form-data; '
        'name="f"; filename="x.png"\r\nContent-Type: image/png\r\n\r\n\r\n------B--\r\n'
    )
    data = {"mimeType": "multipart/form-data; boundary=----B", "text": text}
    (exchange,) = read_har(har(posted(data)), "it").exchanges
    assert (exchange.body.kind, exchange.body.value) == (MULTIPART, [("a", "1"), ("f", "x.png")])
    del data["mimeType"]
    assert list(parts_of(text, "multipart/form-data")) == [("a", "1"), ("f", "x.png")]


def test_parts_of_one_name_are_all_sent() -> None:
    data = {"mimeType": "multipart/form-data", "params": [{"name": "f", "value": one} for one in ("x", "y")]}
    text = scenario_text(script_of(read_har(har(posted(data)), "it")), "Two.")
    assert 'files=[("f", (None, "x")), ("f", (None, "y"))]' in text


def test_bytes_are_sent_as_they_were() -> None:
    raw = bytes(range(256))
    data = {"mimeType": "application/octet-stream", "text": base64.b64encode(raw).decode(), "encoding": "base64"}
    recording = read_har(har(posted(data)), "it")
    assert (recording.exchanges[0].body.kind, recording.exchanges[0].body.value) == (TEXT, raw)
    scenario = scenario_text(script_of(recording), "Bytes.")
    assert repr(raw) in scenario
    compile(scenario, "scenario", "exec")


@pytest.mark.parametrize(
    "url", ["data:image/png;base64,AAAA", "blob:http://h/1", "chrome-extension://abc/x.js", "about:blank"]
)
def test_what_is_no_request_to_a_server_is_left_out_and_said(url: str) -> None:
    one = entry("GET", "/a", {})
    one["request"]["url"] = url
    tunnel = entry("CONNECT", "/", {})
    recording = read_har(har(one, tunnel, entry("GET", "/b", {})), "it")
    assert [exchange.path for exchange in recording.exchanges] == ["/b"]
    assert "2 entries are no requests of HTTP" in recording.notes[0]


def test_requests_that_had_no_answer_are_named(tmp_path: Path) -> None:
    recording = read_har(har(entry("GET", "/a", {}), entry("GET", "/b", {}, status=0)), "it")
    assert len(recording.exchanges) == 2 and recording.notes == [
        "it: 1 requests had no answer when they were recorded; one is expected now"
    ]
