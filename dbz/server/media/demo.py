"""Pictures for demo data: as large and as hard to compress as photos, and the same on every machine."""

from __future__ import annotations

import io
import random
import zlib
from functools import lru_cache

from dbz.server.media.imaging import Master
from dbz.server.media.variants import Format

KINDS = 8
WIDTH_PX, HEIGHT_PX = 1024, 768
_COARSE, _FINE = (8, 6), (WIDTH_PX // 4, HEIGHT_PX // 4)
_GRAIN = 0.12
_QUALITY = 90


def kind_of(media_id: str) -> int:
    """Which of the pictures somebody without an own one gets; always the same."""
    return zlib.crc32(media_id.encode()) % KINDS


@lru_cache(maxsize=KINDS)
def demo_picture(kind: int) -> Master:
    """One of the pictures: soft areas of colour under a grain, about 100 KB as a JPEG."""
    from PIL import Image

    numbers, size = random.Random(kind), (WIDTH_PX, HEIGHT_PX)
    areas = Image.frombytes("RGB", _COARSE, numbers.randbytes(3 * _COARSE[0] * _COARSE[1]))
    grain = Image.frombytes("L", _FINE, numbers.randbytes(_FINE[0] * _FINE[1]))
    smooth = Image.Resampling.BICUBIC
    picture = Image.blend(areas.resize(size, smooth), grain.resize(size, smooth).convert("RGB"), _GRAIN)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=_QUALITY)
    return Master(file.getvalue(), Format.JPEG.media_type, *size)
