"""Pictures in and out: what was uploaded becomes a master of bounded size, and a master what a reader asks for.

All of it runs in the threads of `ImageWorkers`; Pillow is loaded by the first of them.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dbz.server.http.errors import ApiError
from dbz.server.media.sniffing import format_of
from dbz.server.media.variants import MAX_WIDTH_PX, Format, Variant

if TYPE_CHECKING:
    from PIL import Image

MAX_HEIGHT_PX = 4 * MAX_WIDTH_PX
_MASTER_QUALITY = 92
_MAX_SCANS = 100
"""Of a JPEG: each is a pass over the whole picture, and costs its sender only a few bytes."""
_AVIF_LESS = 25
"""AVIF at a quality this much lower looks like JPEG."""
_RGB, _RGBA = "RGB", "RGBA"


@dataclass(frozen=True)
class Master:
    """What is kept of an uploaded picture: encoded anew, upright, without its metadata."""

    body: bytes
    media_type: str
    width_px: int
    height_px: int


def master_of(data: bytes, max_pixels: int) -> Master:
    """The master of an uploaded file; refuses what is no whole picture of at most `max_pixels` (400, 413, 415, 422).

    A place where a photo was taken, and anything else that hides in a file beside its pixels, does not come along.
    """
    kind = format_of(data)
    if kind == "JPEG" and data.count(b"\xff\xda") > _MAX_SCANS:
        raise ApiError(422, "damaged_image", f"a JPEG has at most {_MAX_SCANS} scans")
    try:
        return _encoded_master(_decoded(data, kind, max_pixels))
    except ApiError:
        raise
    except Exception as error:
        # A broken file can raise anything: Pillow reads each format by its book. The words of `OSError` help.
        why = f": {error}" if type(error) is OSError else ""
        raise ApiError(422, "damaged_image", f"the {kind} file is damaged, or not complete{why}") from None


def render(master: bytes, variant: Variant) -> bytes:
    """A master as `variant` wants it; never wider than it is."""
    from PIL import Image

    with Image.open(io.BytesIO(master)) as image:
        width = min(variant.width_px, image.width)
        size = width, max(1, round(image.height * width / image.width))
        image.draft(_RGB, size)  # a JPEG is decoded at a half, quarter or eighth when that is still large enough
        shown = image if image.size == size else image.resize(size, Image.Resampling.HAMMING)
        if variant.format is Format.JPEG and shown.mode != _RGB:
            shown = _on_white(shown)
        return _encoded(shown, variant.format, variant.quality)


def _decoded(data: bytes, kind: str, max_pixels: int) -> Image.Image:
    """The first frame of a file, upright, not much larger than a master, in RGB or RGBA of sRGB."""
    from PIL import Image

    try:
        image: Image.Image = Image.open(io.BytesIO(data), formats=[kind])
    except Image.DecompressionBombError:
        raise _too_large(max_pixels) from None
    width, height = image.size
    if width * height > max_pixels:  # only the head has been read so far
        raise _too_large(max_pixels, width=width, height=height)
    narrow = min(width, height)  # the picture may stand on its side
    if narrow > MAX_WIDTH_PX:
        image.draft(_RGB, (width * MAX_WIDTH_PX // narrow, height * MAX_WIDTH_PX // narrow))
    image.load()
    image = _upright(_reduced(_in_8_bits(image)))
    return _in_srgb(image).convert(_RGBA if "A" in image.getbands() else _RGB)


def _too_large(max_pixels: int, **size: int) -> ApiError:
    has = "{width:,} x {height:,} pixels".format(**size) if size else "far too many pixels"
    return ApiError(413, "too_many_pixels", f"the picture has {has}: at most {max_pixels:,} are taken", **size)


def _in_8_bits(image: Image.Image) -> Image.Image:
    """Without a palette, and with a byte for each sample."""
    if image.mode.startswith("I"):
        return image.point(lambda value: value * (1 / 256)).convert("L")
    if image.mode in ("P", "PA", "1", "LA") or "transparency" in image.info:
        return image.convert(_RGBA if image.has_transparency_data else _RGB)
    return image


def _reduced(image: Image.Image) -> Image.Image:
    """By a whole number, which is quick, as long as more is left than a master has."""
    factor = min(image.size) // MAX_WIDTH_PX
    return image.reduce(factor) if factor > 1 else image


def _upright(image: Image.Image) -> Image.Image:
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # of broken metadata, which is dropped anyway
        return image


def _in_srgb(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    profile = image.info.get("icc_profile")
    if not profile or image.mode not in (_RGB, "CMYK"):
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=_RGB) or image
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # a profile that cannot be read is as good as none


def _encoded_master(image: Image.Image) -> Master:
    from PIL import Image

    scale = min(1.0, MAX_WIDTH_PX / image.width, MAX_HEIGHT_PX / image.height)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    if size != image.size:
        image = image.resize(size, Image.Resampling.LANCZOS)
    kind = Format.WEBP if image.mode == _RGBA else Format.JPEG
    return Master(_encoded(image, kind, _MASTER_QUALITY), kind.media_type, *size)


def _on_white(image: Image.Image) -> Image.Image:
    from PIL import Image

    behind = Image.new(_RGB, image.size, "white")
    behind.paste(image, mask=image.getchannel("A") if "A" in image.getbands() else None)
    return behind


def _encoded(image: Image.Image, kind: Format, quality: int) -> bytes:
    """The file; with the encoders' quickest ways, which are measured in benchmarks/bench_images.py."""
    options: dict[Format, dict[str, Any]] = {
        Format.JPEG: {"quality": quality},
        Format.WEBP: {"quality": quality, "method": 0},
        Format.AVIF: {"quality": max(quality - _AVIF_LESS, 1), "speed": 10, "max_threads": 1},
    }
    file = io.BytesIO()
    image.info.clear()  # comments, places and profiles, which encoders would write again
    image.save(file, kind.name, **options[kind])
    return file.getvalue()
