"""Asking servers that answer as nobody asked them to."""

from __future__ import annotations

import asyncio
import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from dbz.targets.probing import ProbeAnswer, ask

PAGE = b"http_requests_total 12\n" * 50


@contextmanager
def answering(body: bytes, encoding: str, status: int = 200) -> Iterator[tuple[str, list[str | None]]]:
    """The URL of a server that packs whatever it is asked, and what encodings it was asked for."""
    asked: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers["Accept-Encoding"])
            self.send_response(status)
            self.send_header("Content-Encoding", encoding)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def asked_once(body: bytes, encoding: str, most_bytes: int = 100_000) -> ProbeAnswer:
    with answering(body, encoding) as (url, asked):
        answer = asyncio.run(ask(url, "/metrics", deadline_s=5, most_bytes=most_bytes))
    assert asked == ["identity"]
    return answer


@pytest.mark.parametrize(
    ("body", "encoding", "read"),
    [
        (gzip.compress(PAGE), "gzip", PAGE),
        (gzip.compress(PAGE), " X-GZIP ", PAGE),
        (zlib.compress(PAGE), "deflate", PAGE),
        (PAGE, "identity", PAGE),
        (PAGE, "gzip", PAGE),  # it says so, and has not done it
        (b"\x1b\x03", "br", b"\x1b\x03"),
        (b"", "gzip", b""),
    ],
)
def test_a_packed_answer_is_unpacked_and_any_other_stays_an_answer(body: bytes, encoding: str, read: bytes) -> None:
    answer = asked_once(body, encoding)
    assert (answer.status, answer.body, answer.trouble) == (200, read, "")


def test_what_unpacks_to_more_than_the_limit_is_no_answer() -> None:
    """A few kilobytes that would become a gigabyte take no more memory than the limit."""
    bomb = gzip.compress(bytes(50_000_000), 9)
    answer = asked_once(bomb, "gzip", most_bytes=100_000)
    assert (answer.status, answer.trouble) == (0, "the answer is longer than 100,000 bytes")
    honest = gzip.compress(os.urandom(50_000))
    assert len(asked_once(honest, "gzip", most_bytes=100_000).body) == 50_000
