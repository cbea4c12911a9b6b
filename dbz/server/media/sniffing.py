"""What a file is, told by its first bytes: names and declared types are what somebody says of it."""

from __future__ import annotations

from dbz.server.http.errors import ApiError

ACCEPTED = "JPEG, PNG, WebP, GIF or AVIF"
_SNIFFED_BYTES = 1024
_BEGINNINGS = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"GIF87a": "GIF", b"GIF89a": "GIF"}
_OTHERS = {
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"BM": "BMP",
    b"%PDF": "PDF",
    b"\x00\x00\x01\x00": "ICO",
    b"8BPS": "Photoshop",
    b"PK\x03\x04": "ZIP",
    b"\x1f\x8b": "gzip",
}
_BRANDS = {b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF", b"isom": "MP4", b"mp42": "MP4", b"qt  ": "QuickTime"}
_BRANDS_BYTES = 64


def format_of(data: bytes) -> str:
    """Pillow's name of the format of an uploaded picture; refuses with 400 or 415 and the reason what is none."""
    if not data:
        raise ApiError(400, "empty_image", "the file has no bytes")
    found, other = _named(data[:_SNIFFED_BYTES])
    if found:
        return found
    if other == "SVG":
        raise ApiError(
            415, "svg_refused", f"SVG is a document that may hold scripts, not a photo: send {ACCEPTED}", format=other
        )
    if other:
        raise ApiError(415, "unsupported_format", f"{other} is not taken: send {ACCEPTED}", format=other)
    raise ApiError(415, "not_an_image", f"the bytes are those of no picture, whatever its name says: send {ACCEPTED}")


def _named(head: bytes) -> tuple[str, str]:
    """(a format that is taken, or one that is known and not taken); two empty texts for neither."""
    for beginning, name in _BEGINNINGS.items():
        if head.startswith(beginning):
            return name, ""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP", ""
    if head[4:8] == b"ftyp":
        brands = head[8 : min(int.from_bytes(head[:4]), _BRANDS_BYTES)]
        return ("AVIF", "") if b"avif" in brands else ("", _BRANDS.get(head[8:12], "this kind of MP4"))
    if b"<svg" in head.lower():
        return "", "SVG"
    return "", next((name for beginning, name in _OTHERS.items() if head.startswith(beginning)), "")
