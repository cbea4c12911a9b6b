"""Contents that are nearly right: seeds with a few things changed, the same for the same number."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

MARKS = [
    *(
        b"",
        b"\0",
        b"\n",
        b"\r\n",
        b"\t",
        b" ",
        b":",
        b"- ",
        b",",
        b'"',
        b"'",
        b"{",
        b"}",
        b"[",
        b"]",
        b"&a ",
        b"*a",
        b"<<: ",
        b"!!",
        b"%",
    ),
    *(b"-1", b"0", b"1e308", b"1e400", b"-0.0", b"NaN", b"Infinity", b"9" * 25, b"9" * 5000, b"0x1f", b"1_000", b".5"),
    *(
        b"null",
        b"true",
        b"~",
        b"{}",
        b"[]",
        b'""',
        b"\xff",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"\xf0\x9f\x98\x80",
        "ſ".encode(),
        "٣".encode(),
    ),
    *(
        b"2026-02-30",
        b"25:61:61",
        b"99999-01-01T00:00:00Z",
        b"${HOME}",
        b"../..",
        b"http://[",
        b"//",
        b"\x1b[31m",
        b"\\u0000",
        b"\\ud800",
    ),
    *(b"[" * 3000, b'{"a":' * 3000, b"- " * 2000, b"(" * 500),
]
"""What readers stumble over."""


def mutated(seeds: Sequence[bytes], number: int) -> bytes:
    """The content of a number: one seed, with one to four pieces cut, doubled, moved or replaced."""
    random = Random(number)
    content = random.choice(seeds)
    for _ in range(random.randint(1, 4)):
        start = random.randint(0, len(content))
        end = min(len(content), start + random.choice((0, 1, 1, 2, 5, 20, 200)))
        piece = random.choice(
            (
                random.choice(MARKS),
                random.randbytes(random.randint(1, 4)),
                content[start:end] * random.choice((0, 2, 9)),
            )
        )
        if random.random() < 0.15:
            other = random.choice(seeds)
            cut = random.randint(0, len(other))
            piece = other[cut : cut + 100]
        content = content[:start] + piece + content[end:]
    return content
