"""WebSocket framing: whatever is cut into whatever pieces comes out whole."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.load.generator.net.faults import MalformedFrame, MessageTooLarge
from dbz.load.generator.websocket.deflate import Deflater, HandshakeRefused, Inflater, agree
from dbz.load.generator.websocket.frames import BINARY, CONTINUATION, PING, PONG, TEXT, FrameReader, encode_frame

LIMIT = 100_000
COMPRESSED_TEXT = TEXT | 0x40

SIZES = st.one_of(st.integers(0, 130), st.sampled_from([65535, 65536]))


def server_frame(opcode: int, payload: bytes, final: bool = True) -> bytes:
    """A frame as servers send it: not masked."""
    first = opcode | (0x80 if final else 0)
    if len(payload) < 126:
        return struct.pack(">BB", first, len(payload)) + payload
    if len(payload) < 65536:
        return struct.pack(">BBH", first, 126, len(payload)) + payload
    return struct.pack(">BBQ", first, 127, len(payload)) + payload


SHAPES = st.one_of(
    st.tuples(st.sampled_from([TEXT, BINARY]), SIZES), st.tuples(st.sampled_from([PING, PONG]), st.integers(0, 125))
)


@given(st.lists(SHAPES, max_size=6), st.integers(100, 5000))
def test_frames_survive_any_cutting(shapes, piece):
    messages = [(opcode, bytes([size % 251]) * size) for opcode, size in shapes]
    stream = b"".join(server_frame(opcode, payload) for opcode, payload in messages)
    reader = FrameReader(LIMIT)
    found = [one for at in range(0, len(stream), piece) for one in reader.feed(stream[at : at + piece])]
    assert found == messages


def test_a_fragmented_message_is_put_together_around_a_ping():
    reader = FrameReader(LIMIT)
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
        pytest.param(b"\x83\x05hello", id="an unknown opcode"),
        pytest.param(b"\x09\x00", id="a ping in fragments"),
        pytest.param(server_frame(PING, b"x" * 126), id="a ping that is too long"),
        pytest.param(b"\x80\x01x", id="a continuation of nothing"),
        pytest.param(b"\x01\x01x\x81\x01y", id="a message within the fragments of another"),
    ],
)
def test_what_no_server_may_send_is_malformed(stream):
    with pytest.raises(MalformedFrame):
        FrameReader(LIMIT).feed(stream)


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(struct.pack(">BBQ", 0x81, 127, 2**40), id="a terabyte announced"),
        pytest.param(
            (server_frame(TEXT, b"x" * 60_000, final=False) + b"\x00\x7e\xea\x60" + b"x" * 60_000), id="pieces"
        ),
        pytest.param(
            server_frame(COMPRESSED_TEXT, zlib.compress(b"\0" * 3_000_000, wbits=-15)), id="a bomb when decompressed"
        ),
    ],
)
def test_a_message_over_the_limit_is_too_large(stream):
    with pytest.raises(MessageTooLarge):
        FrameReader(LIMIT, Inflater(True)).feed(stream)


def deflated(messages: list[bytes], keeps_context: bool) -> list[bytes]:
    """What a server sends that compresses with, or without, a dictionary of the messages before."""
    context, frames = zlib.compressobj(wbits=-15), []
    for message in messages:
        packed = context.compress(message) + context.flush(zlib.Z_SYNC_FLUSH)
        frames.append(server_frame(COMPRESSED_TEXT, packed.removesuffix(b"\x00\x00\xff\xff")))
        if not keeps_context:
            context = zlib.compressobj(wbits=-15)
    return frames


@pytest.mark.parametrize("keeps_context", [True, False])
def test_compressed_messages_are_inflated_with_and_without_a_kept_dictionary(keeps_context):
    messages = [b"the same words again " * 20, b"", b"the same words again " * 21]
    frames = deflated(messages, keeps_context)
    reader = FrameReader(LIMIT, Inflater(keeps_context))
    assert reader.feed(b"".join(frames)) == [(TEXT, message) for message in messages]
    assert (len(frames[2]) < len(frames[0])) == keeps_context


def test_a_compressed_message_in_fragments_is_inflated_whole():
    (frame,) = deflated([b"many words " * 9], keeps_context=True)
    packed = frame[2:]
    stream = server_frame(COMPRESSED_TEXT, packed[:5], final=False) + server_frame(CONTINUATION, packed[5:])
    assert FrameReader(LIMIT, Inflater(True)).feed(stream) == [(TEXT, b"many words " * 9)]


def test_what_is_no_deflate_stream_is_malformed():
    with pytest.raises(MalformedFrame):
        FrameReader(LIMIT, Inflater(True)).feed(server_frame(COMPRESSED_TEXT, b"\xff\xff\xff\xff"))


@given(st.binary(max_size=3000), st.integers(9, 15))
def test_what_we_compress_any_server_can_inflate(payload, window_bits):
    packed = Deflater(window_bits).deflate(payload)
    if packed is None:
        assert len(payload) < 1024
    else:
        assert Inflater(False).inflate(packed, LIMIT) == payload


def test_only_what_was_offered_can_be_agreed_on():
    assert agree("") == (None, None)
    inflater, deflater = agree('permessage-deflate; server_no_context_takeover; client_max_window_bits="12"')
    assert inflater is not None and deflater is not None
    for answer in ("x-other", "permessage-deflate; surprise", "permessage-deflate; client_max_window_bits=99"):
        with pytest.raises(HandshakeRefused):
            agree(answer)
