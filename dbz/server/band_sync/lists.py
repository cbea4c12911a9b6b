"""The lists that are taken over from Band, and what becomes of their rows. Nothing in them is trusted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]

_MOST_CHARS = 2000
_MOST_KEY_CHARS = 200
_LATEST_MS = 2**53


@dataclass(frozen=True)
class BandList:
    """One of Band's lists."""

    kind: str
    """What a document of it is called in `band_cache`."""
    name: str
    """What the list is called in `sync_logs` and metrics."""
    path: str
    """Where Band has it."""
    key: str
    """The field with a row's key."""
    taken: Callable[[Row], Row]
    """What is kept of a row."""

    def document(self, club_id: str, row: Any) -> Row | None:
        """A row as it lies in `band_cache`, without its pass; None for one that makes no sense."""
        key = row.get(self.key) if isinstance(row, dict) else None
        if not isinstance(key, str) or not 0 < len(key) <= _MOST_KEY_CHARS:
            return None
        changed_ms = _whole(row.get("updated_at")) or 0
        head = {"_id": f"{club_id}:{self.kind}:{key}", "club_id": club_id, "kind": self.kind, "key": key}
        if row.get("removed") is True:
            return {**head, "updated_at": changed_ms, "removed": True}
        return {**head, "updated_at": changed_ms, **self.taken(row)}


def _member(row: Row) -> Row:
    return {
        "name": _text(row.get("name")),
        "role": _text(row.get("role")),
        "description": _text(row.get("description")),
        "profile_image": _text(row.get("profile_image_url")),
        "member_since": _whole(row.get("member_since")),
    }


def _photo(row: Row) -> Row:
    author = row.get("author")
    return {
        "album": _text(row.get("photo_album_key")),
        "url": _text(row.get("url")),
        "width": _whole(row.get("width")),
        "height": _whole(row.get("height")),
        "created_at": _whole(row.get("created_at")),
        "author": _text(author.get("name")) if isinstance(author, dict) else None,
    }


def _text(value: Any) -> str | None:
    return value[:_MOST_CHARS] if isinstance(value, str) else None


def _whole(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < _LATEST_MS else None


MEMBERS = BandList("member", "members", "/v2/band/members", "user_key", _member)
PHOTOS = BandList("photo", "photos", "/v2/band/album/photos", "photo_key", _photo)
LISTS = (MEMBERS, PHOTOS)
