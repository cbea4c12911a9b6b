"""Whatever bytes a server sends, the reader ends: with an answer, or with an error that has a name."""

import time

from gevent import socket as gsocket
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dbz.load.generator.http.answer.reader import ResponseReader
from dbz.load.generator.net.faults import TransportError
from dbz.load.generator.net.wire import DirectConnection
from tests.load.http_answers import answers

ANSWERS = [case.raw for case in answers(4, 300)]
MARKS = st.sampled_from(
    [
        *(b"\r\n", b"\n", b"\r", b" ", b":", b"0", b"ffffffffffffffff", b"\r\n\r\n", b"\0", b";"),
        *(b"Content-Length: 1\r\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 \r\n\r\n"),
        *(b"Transfer-Encoding: chunked\r\n", b"Content-Encoding: br\r\n"),
    ]
)


def outcome(pieces: list[bytes], method: str) -> object:
    """What the reader makes of bytes that arrive in these pieces, after which the server closes the connection."""
    ours, theirs = gsocket.socketpair()
    connection = DirectConnection(ours)
    connection.deadline_s = time.monotonic() + 5
    reader = ResponseReader(100_000)
    try:
        for piece in pieces:
            theirs.sendall(piece)
        theirs.close()
        head, body = reader.read(connection, method)
    except TransportError as error:
        return error.name
    finally:
        theirs.close()
        connection.close()
    return head.status, sorted(head.fields), body


def is_proper(result) -> bool:
    """Whether it is the name of an error, or an answer with a status of HTTP and its body."""
    if isinstance(result, str):
        return result.isidentifier()
    status, _, body = result
    return 100 <= status <= 999 and isinstance(body, bytes | bytearray | memoryview)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(ANSWERS),
    st.lists(st.tuples(st.floats(0, 1), st.one_of(MARKS, st.binary(max_size=5))), max_size=4),
    st.sampled_from(["GET", "HEAD"]),
)
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", [], "GET")
def test_mutated_answers_end_in_an_answer_or_a_named_error(raw, mutations, method):
    for place, bytes_there in mutations:
        at = int(place * len(raw))
        raw = raw[:at] + bytes_there + raw[at + len(bytes_there) // 2 :]
    assert is_proper(outcome([raw], method))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_end_in_an_answer_or_a_named_error(raw):
    assert is_proper(outcome([raw], "GET"))
    outcome([b"HTTP/1.1 200 OK\r\n", raw], "GET")
    outcome([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", raw], "GET")
