"""A head that fits the shape of another one means what the parser says that it means."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.load.generator.http.answer.head import parse_head
from dbz.load.generator.http.answer.reader import plain_head
from dbz.load.generator.http.answer.shape import HeadShape

NAMES = ("Content-Length", "content-type", "Connection", "Set-Cookie", "Transfer-Encoding", "Content-Encoding")
OTHERS = ("X-Request-Id", "ETag", "Date", "X")
VALUES = ("", "0", "7", "12", "application/json", "close", "keep-alive", "chunked", "gzip", "a: b", '"x.y(z)"', "\\d+")
ENDS = ("\r\n", "\n", "\n ", "\r", "\0\r\n")


def lines(names: tuple[str, ...]) -> st.SearchStrategy[list[tuple[str, str, str]]]:
    return st.lists(st.tuples(st.sampled_from(names), st.sampled_from(VALUES), st.sampled_from(ENDS[:2])), max_size=5)


def written(fields: list[tuple[str, str, str]], status: str = "200", end: str = "\r\n") -> bytes:
    text = "".join(f"{name}: {value}{line_end}" for name, value, line_end in fields)
    return f"HTTP/1.1 {status} OK\r\n{text}{end}".encode()


@given(
    lines((*NAMES, *OTHERS)),
    st.lists(st.tuples(st.sampled_from(VALUES), st.sampled_from(ENDS)), max_size=6),
    st.integers(0, 6),
    st.sampled_from(("200", "201", "204")),
)
def test_what_fits_is_parsed_to_the_same(
    fields: list[tuple[str, str, str]], changes: list[tuple[str, str]], place: int, status: str
) -> None:
    fields.insert(min(place, len(fields)), ("Content-Length", "5", "\r\n"))
    raw = written(fields)
    known = plain_head(raw)
    if known is None:
        return
    with contextlib.suppress(ValueError):
        shape = HeadShape(raw[: known[1]], known[0])
        assert shape.fit(raw) == (known[1], known[0].length)
        for at in range(len(changes)):
            changed = [
                (name, *(changes[at] if number % len(changes) == at else (value, end)))
                for number, (name, value, end) in enumerate(fields)
            ]
            data = written(changed, status) + b"12345"
            found = shape.fit(data)
            if found is None:
                continue
            parsed = plain_head(data)
            assert parsed is not None
            head, end = parsed
            assert found == (end, head.length)
            for meaning in ("status", "reason", "chunked", "encoding", "content_type", "keep", "plain", "sets_cookies"):
                assert getattr(head, meaning) == getattr(shape.head, meaning), meaning


@given(st.text("abc019-/\"' ", max_size=30), st.integers(0, 10**17), st.sampled_from(OTHERS))
def test_other_values_of_what_does_not_matter_and_another_length_fit(value: str, length: int, name: str) -> None:
    def head(text: str, size: int) -> bytes:
        return written(
            [("Content-Type", "text/plain", "\r\n"), (name, text, "\r\n"), ("Content-Length", str(size), "\r\n")]
        )

    raw, data = head("first", 3), head(value, length)
    shape = HeadShape(raw, parse_head(raw))
    assert shape.fit(data + b"body") == (len(data), length)
    assert shape.fit(data[:-1]) is None, "the head is not whole"


@pytest.mark.parametrize("more", ["Content-Length: 3\r\n", "X: a\r\n b\r\n"])
def test_what_is_said_twice_or_folded_is_no_shape(more: str) -> None:
    raw = f"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n{more}\r\n".encode()
    with pytest.raises(ValueError, match="no shape"):
        HeadShape(raw, parse_head(raw))
