"""Answers that are made of the same values again: not encoded again, and never an old one."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from dbz.server.http.reply import Repeated, Reply, Responder, pick
from dbz.server.settings import Http

NUMBERS = st.lists(st.integers(0, 2), min_size=1, max_size=3)
ASKED = st.tuples(st.sampled_from(["club00", "club01"]), NUMBERS, st.booleans(), st.sampled_from([None, "n"]))


def sent(answer: Any, *arguments: Any) -> tuple[int, dict[bytes, bytes], bytes]:
    """Status, headers and body of an answer."""
    messages: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        messages.append(message)

    asyncio.run(answer(send, *arguments))
    head, *parts = messages
    return head["status"], dict(head["headers"]), b"".join(part["body"] for part in parts)


@settings(max_examples=40, deadline=None)
@given(st.lists(ASKED, min_size=1, max_size=12))
def test_an_answer_is_the_same_as_one_that_is_made_anew(
    questions: list[tuple[str, list[int], bool, str | None]],
) -> None:
    """Whoever asks for whatever in whatever order: bytes, tag and headers are those of an answer without a memory."""
    responder, made = Responder(Http()), 0
    for club, numbers, packed, wanted in questions:
        asked = {b"accept-encoding": b"gzip"} if packed else {}
        data = {"items": [{"n": n, "club": club} for n in numbers], "pagination": {"total": len(numbers)}}
        fields = frozenset([wanted]) if wanted else None

        def make(data: Any = data) -> Any:
            nonlocal made
            made += 1
            return data

        remembered = Repeated(club, numbers, make)
        plain = Reply(pick(data, fields) if fields else data)
        query = b"fields=n" if wanted else b""
        found = sent(responder.repeated, remembered, query, fields, asked, False)
        expected = sent(Responder(Http()).json, plain, asked, False, True)
        assert found == expected
        before = made
        sent(responder.repeated, remembered, query, fields, asked, False)
        assert made == before, "it was made again of the same parts"


def test_what_is_kept_has_a_bound() -> None:
    """Thousands of different lists do not stay in memory."""
    responder = Responder(Http())
    for number in range(300):
        rows = [{"text": "x" * 100_000, "number": number}]
        answer = Repeated(number, rows, lambda rows=rows: rows)
        body = sent(responder.repeated, answer, b"", None, {}, False)[2]
        assert orjson.loads(body) == rows
    kept = sum(len(body) for _, body, _ in responder._repeated.values())
    assert kept == responder._repeated_bytes <= 16 * 1024 * 1024
