"""What of a picture is asked for: its width, quality and format, out of few, so that few are ever made and kept."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from pydantic import Field

from dbz.server.http import Query

MAX_WIDTH_PX = 1024
WIDTH_STEP_PX = 64
QUALITIES = (40, 60, 75, 85, 95, 100)
_MAX_ACCEPT_BYTES = 1000


class Format(StrEnum):
    """How a picture is encoded; the smaller files come first."""

    AVIF = "avif"
    WEBP = "webp"
    JPEG = "jpeg"

    @property
    def media_type(self) -> str:
        """As Content-Type has it."""
        return f"image/{self.value}"


class MediaQuery(Query):
    """`w` in pixels, at most 1,024, and `q` the quality in percent; the next larger ones that are made are answered."""

    w: int = Field(default=MAX_WIDTH_PX, ge=1, le=MAX_WIDTH_PX)
    q: int = Field(default=85, ge=1, le=100)


@dataclass(frozen=True, slots=True)
class Variant:
    """One of the 16 widths, 6 qualities and 3 formats that a picture is answered in."""

    width_px: int
    quality: int
    format: Format

    def __str__(self) -> str:
        """As it stands in keys and tags."""
        return f"{self.width_px}:{self.quality}:{self.format.value}"


@lru_cache(maxsize=2048)
def variant_of(width_px: int, quality: int, accept: bytes) -> Variant:
    """The variant for a question: never less than what was asked for, and the format that `accept` likes best."""
    width_px = -(-width_px // WIDTH_STEP_PX) * WIDTH_STEP_PX
    return Variant(width_px, next(one for one in QUALITIES if one >= quality), format_for(accept))


def format_for(accept: bytes) -> Format:
    """What an Accept header likes best, among equals the smaller; JPEG, which everybody can show, unless it names more.

    A wildcard names nothing: clients that send one often know JPEG and PNG only.
    """
    if len(accept) > _MAX_ACCEPT_BYTES:
        return Format.JPEG
    weights: dict[str, float] = {}
    for part in accept.decode("latin-1").lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        weights[name] = min((_weight(one) for one in parameters if one.startswith("q=")), default=1.0)
    jpeg = weights.get("image/jpeg", weights.get("image/*", weights.get("*/*", 0.0)))
    liked = {one: weights.get(one.media_type, 0.0) for one in (Format.AVIF, Format.WEBP)} | {Format.JPEG: jpeg}
    best = max(liked, key=lambda one: liked[one])  # of several the first
    return best if liked[best] > 0 else Format.JPEG


def _weight(parameter: str) -> float:
    try:
        weight = float(parameter.removeprefix("q="))
    except ValueError:
        return 0.0
    return weight if 0.0 <= weight <= 1.0 else 0.0
