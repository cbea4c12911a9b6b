"""Files to upload: pictures of every kind, and what only says that it is one."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from PIL import Image

from dbz.server.media.demo import demo_picture

SCRIPT = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def photo(width: int = 1200, height: int = 900, kind: str = "JPEG", mode: str = "RGB", **options: Any) -> bytes:
    """A file with a photo of this size."""
    with Image.open(io.BytesIO(demo_picture(1).body)) as source:
        picture = source.convert(mode).resize((width, height))
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def claims_to_be(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose head claims any size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def opened(data: bytes) -> Image.Image:
    """The picture in a file, decoded."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image
