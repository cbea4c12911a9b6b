"""WebSocket framing: whatever is cut into whatever pieces comes out whole."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.load.generator.websocket import BINARY, CONTINUATION, PING, TEXT, FrameReader, encode_frame
from dbz.load.generator.wire import MalformedResponse

SIZES = st.one_of(st.integers(0, 130), st.sampled_from([65535, 65536]))


def server_frame(opcode: int, payload: bytes, final: bool = True) -> bytes:
    """A frame as servers send it: not masked."""
    first = opcode | (0x80 if final else 0)
    if len(payload) < 126:
        return struct.pack(">BB", first, len(payload)) + payload
    if len(payload) < 65536:
        return struct.pack(">BBH", first, 126, len(payload)) + payload
    return struct.pack(">BBQ", first, 127, len(payload)) + payload


@given(st.lists(st.tuples(st.sampled_from([TEXT, BINARY, PING]), SIZES), max_size=6), st.integers(100, 5000))
def test_frames_survive_any_cutting(shapes, piece):
    messages = [(opcode, bytes([size % 251]) * size) for opcode, size in shapes]
    stream = b"".join(server_frame(opcode, payload) for opcode, payload in messages)
    reader = FrameReader()
    found = [one for at in range(0, len(stream), piece) for one in reader.feed(stream[at : at + piece])]
    assert found == messages


def test_a_fragmented_message_is_put_together_around_a_ping():
    reader = FrameReader()
    stream = (
        server_frame(TEXT, b"one ", final=False)
        + server_frame(PING, b"?")
        + server_frame(CONTINUATION, b"two ", final=False)
        + server_frame(CONTINUATION, b"three")
    )
    assert reader.feed(stream) == [(PING, b"?"), (TEXT, b"one two three")]


@given(SIZES)
def test_what_we_send_is_masked_and_says_the_same(size):
    payload = bytes(index % 251 for index in range(size))
    frame = encode_frame(TEXT, payload)
    assert frame[1] & 0x80
    length = frame[1] & 0x7F
    at = 2 + {126: 2, 127: 8}.get(length, 0)
    mask, masked = frame[at : at + 4], frame[at + 4 :]
    assert bytes(byte ^ mask[index % 4] for index, byte in enumerate(masked)) == payload


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(b"\x81\x85aaaahello", id="masked by the server"),
        pytest.param(b"\xc1\x05hello", id="an extension nobody agreed on"),
        pytest.param(struct.pack(">BBQ", 0x81, 127, 2**40), id="a terabyte announced"),
    ],
)
def test_what_no_server_may_send_is_malformed(stream):
    with pytest.raises(MalformedResponse):
        FrameReader().feed(stream)
