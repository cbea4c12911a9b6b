"""A few hundred answers of HTTP servers, generated from a seed: well-formed, odd, cut off, and wrong."""

import gzip
import random
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import brotli
import zstandard

PLAIN = b"Anyone for a game at seven? " * 40
REASONS = (b" OK", b"", b" ", b" Not Really OK At All", b" \xe4\xf6")
STATUSES = (200, 200, 200, 200, 201, 203, 204, 206, 304, 400, 404, 418, 500, 503, 599)


@dataclass(frozen=True)
class Answer:
    """What a server sends to one request."""

    method: str
    raw: bytes
    traits: frozenset[str] = field(default=frozenset())
    """What is special about it."""


def deflated(plain: bytes) -> bytes:
    """A deflate stream without its zlib header."""
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(plain) + stream.flush()


CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": lambda plain: gzip.compress(plain[:50]) + gzip.compress(plain[50:]),
    "deflate": zlib.compress,
    "Deflate": deflated,
    "br": brotli.compress,
    "zstd": zstandard.compress,
    "identity": bytes,
    "x-unheard-of": bytes,
}


def answers(seed: int, count: int) -> Iterator[Answer]:
    """`count` answers; the same for the same seed."""
    chance = random.Random(seed)
    for _ in range(count):
        yield _answer(chance)


def _answer(chance: random.Random) -> Answer:
    traits: set[str] = set()
    method = chance.choice(("GET", "GET", "GET", "POST", "HEAD"))
    status = chance.choice(STATUSES)
    body = chance.choice((b"", b"x", PLAIN, b"\xef\xbb\xbf{}", bytes(range(256)) * 30))
    fields, body = _fields(chance, traits), _coded(chance, traits, body)
    coding = next((trait for trait in traits if trait.startswith("coding ")), "")
    if coding:
        fields.append(b"Content-Encoding: " + coding.removeprefix("coding ").encode())
    framing, sent = _framed(chance, traits, body)
    fields += framing
    chance.shuffle(fields)
    fields = _odd(chance, traits, fields)
    version = chance.choice((b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0"))
    reason = chance.choice(REASONS)
    line_end = b"\n" if _rarely(chance, traits, "bare line feeds", 12) else b"\r\n"
    head = line_end.join([version + b" %d" % status + reason, *fields, b"", b""])
    if _rarely(chance, traits, "cut off in its head", 25):
        head, sent = head[: chance.randrange(1, len(head) - 2)], b""
    elif method == "HEAD" or status in (204, 304):
        sent = b"" if not _rarely(chance, traits, "a body that may not be", 3) else sent
    before = b""
    if _rarely(chance, traits, "interim answers", 8):
        before = chance.choice((b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"))
    return Answer(method, before + head + sent, frozenset(traits))


def _rarely(chance: random.Random, traits: set[str], trait: str, one_in: int) -> bool:
    if chance.randrange(one_in):
        return False
    traits.add(trait)
    return True


def _fields(chance: random.Random, traits: set[str]) -> list[bytes]:
    fields = [b"Content-Type: " + chance.choice((b"text/plain", b"application/json", b"text/html; charset=utf-8"))]
    fields += chance.sample(
        [
            b"X-Empty:",
            b"X-Spaces:    between   words   ",
            b"X-Tab:\tvalue\t",
            b"X-Latin: \xe4\xf6\xfc",
            b"X-Utf: \xc3\xa4",
            b"X-Twice: one\r\nX-Twice: two",
            b"Set-Cookie: a=b; Path=/",
            b"x-lOwEr: x",
            b"X-Long: " + b"y" * 3000,
            b'ETag: W/"x"',
            b"X_Under.Score!: 1",
        ],
        chance.randrange(4),
    )
    if _rarely(chance, traits, "a folded line", 12):
        fields.append(b"X-Folded: one\r\n  two\r\n\tthree")
    if _rarely(chance, traits, "control characters", 20):
        fields.append(b"X-Control: a\x01b\x7f")
    fields.append(chance.choice((b"Connection: close", b"Connection: keep-alive", b"X-No: connection")))
    return fields


def _coded(chance: random.Random, traits: set[str], body: bytes) -> bytes:
    if chance.randrange(3):
        return body
    coding = chance.choice(list(CODINGS))
    traits.add(f"coding {coding}")
    coded = CODINGS[coding](body)
    if coding in ("identity", "x-unheard-of") or not body:
        return coded
    if _rarely(chance, traits, "padding after its coding", 4):
        return coded + b"\0" * chance.choice((1, 8, 500))
    if _rarely(chance, traits, "cut off in its coding", 4):
        return coded[: chance.randrange(1, len(coded) - 1)]
    if _rarely(chance, traits, "not what its coding says", 8):
        return b"nothing of the kind"
    return coded


def _framed(chance: random.Random, traits: set[str], body: bytes) -> tuple[list[bytes], bytes]:
    """The header fields that say how long a body is, and the body as it is sent."""
    length = b"Content-Length: %d" % len(body)
    if not chance.randrange(6):
        traits.add("ends with the connection")
        return [], body
    if not chance.randrange(3):
        return _chunked(chance, traits, body, length)
    if _rarely(chance, traits, "the length twice", 8):
        return [chance.choice((length + b"\r\n" + length, length + b", %d" % len(body)))], body
    if _rarely(chance, traits, "two lengths", 12):
        return [length, b"Content-Length: %d" % (len(body) + 1)], body
    if _rarely(chance, traits, "a length that is none", 12):
        return [b"Content-Length: " + chance.choice((b"-1", b"many", b"", b"+5", b"0x10", b"1.5"))], body
    if body and _rarely(chance, traits, "cut off in its body", 8):
        return [length], body[: chance.randrange(len(body))]
    if _rarely(chance, traits, "more than its body", 10):
        return [length], body + chance.choice((b"\r\n", b"garbage", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    return [length], body


def _chunked(chance: random.Random, traits: set[str], body: bytes, length: bytes) -> tuple[list[bytes], bytes]:
    traits.add("chunked")
    extension = b""
    if _rarely(chance, traits, "chunk extensions", 4):
        extension = chance.choice((b";a=b", b' ; name="va;lue"', b";", b"  "))
    sent, at = b"", 0
    while at < len(body):
        size = chance.randrange(1, max(len(body) // 2, 2))
        piece = body[at : at + size]
        sent += chance.choice((b"%x", b"%X", b"000%x")) % len(piece) + extension + b"\r\n" + piece + b"\r\n"
        at += size
    if _rarely(chance, traits, "a wrong chunk", 15):
        return [b"Transfer-Encoding: chunked"], sent + b"zz\r\n"
    sent += b"0" + extension + b"\r\n"
    if _rarely(chance, traits, "trailers", 5):
        sent += b"X-Sum: 1\r\nX-More: 2\r\n"
    sent += b"\r\n"
    if body and _rarely(chance, traits, "cut off in its body", 6):
        sent = sent[: chance.randrange(1, len(sent) - 6)]
    fields = [b"Transfer-Encoding: " + chance.choice((b"chunked", b"chunked", b"Chunked"))]
    return [*fields, *([length] if _rarely(chance, traits, "chunks and a length", 8) else [])], sent


def _odd(chance: random.Random, traits: set[str], fields: list[bytes]) -> list[bytes]:
    """Now and then a header line that is none."""
    for trait, line in (
        ("a space in a name", b"X Space: 1"),
        ("a space before the colon", b"X-Colon : 1"),
        ("a line without a colon", b"nothing"),
        ("NUL in a value", b"X-Nul: a\0b"),
    ):
        if _rarely(chance, traits, trait, 60):
            fields.insert(chance.randrange(len(fields) + 1), line)
    return fields
