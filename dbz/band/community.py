"""The bands of the stand-in with their members, albums and photos: made from a seed, and changed on request."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from dbz.band.shelf import RisingClock, Shelf

_START_MS = 1_793_523_600_000  # 2026-11-01 09:00 UTC
_ALBUMS = 3
_FAMILY = ("Kim", "Lee", "Park", "Choi", "Jung", "Kang", "Cho", "Yoon")
_GIVEN = ("Jordan", "Charley", "Minji", "Sora", "Hana", "Juno", "Yuri", "Dana")
_COVER = "http://127.0.0.1/band/{}.jpg"


@dataclass(frozen=True)
class Size:
    """How much there is at the start."""

    bands: int = 3
    """Bands, one for each demo club."""
    members: int = 200
    """Members of each band; the first one leads it."""
    photos: int = 60
    """Photos of each band, spread over its albums."""


class Community:
    """All bands. Not for several threads."""

    def __init__(self, seed: int, size: Size) -> None:
        self._random = random.Random(f"band:{seed}")
        self.clock = RisingClock(_START_MS)
        self.bands = {f"band{number:02d}": f"Badminton band {number + 1}" for number in range(size.bands)}
        self.members = {band: Shelf("user_key") for band in self.bands}
        self.photos = {band: Shelf("photo_key") for band in self.bands}
        self._numbers = dict.fromkeys(self.bands, 0)
        for band in self.bands:
            for _ in range(size.members):
                self._join(band, self.clock.seeded())
            for _ in range(size.photos):
                self._add_photo(band, self.clock.seeded())

    def bands_of(self, user_key: str) -> list[str]:
        """The keys of the bands that a user is a member of."""
        return [band for band, shelf in self.members.items() if user_key in shelf.living()]

    def band(self, key: str) -> dict[str, Any]:
        """A band as the API shows it."""
        count = len(self.members[key].living())
        return {"band_key": key, "name": self.bands[key], "cover": _COVER.format(key), "member_count": count}

    def albums(self, band: str) -> list[dict[str, Any]]:
        """The albums of a band as the API shows them."""
        counts = dict.fromkeys((self._album(band, number) for number in range(_ALBUMS)), 0)
        for photo in self.photos[band].living().values():
            counts[photo["photo_album_key"]] += 1
        return [
            {"photo_album_key": album, "name": f"Album {album[-1]}", "photo_count": count, "created_at": _START_MS}
            for album, count in counts.items()
        ]

    def change(self, band: str, wanted: dict[str, Any]) -> None:
        """Let things happen in a band: how many members `join`, `leave`, `rename`; `add_photos`, `remove_photos`.

        `leave` and `remove_photos` may also be lists of keys. Leaders stay.
        """
        for _ in range(int(wanted.get("join", 0))):
            self._join(band, self.clock.now())
        for key in self._chosen(self.members[band], wanted.get("leave", 0)):
            self.members[band].remove(key, self.clock.now())
        for key in self._chosen(self.members[band], wanted.get("rename", 0)):
            row = {**self.members[band].rows[key], "name": self._name()}
            self.members[band].put(row, self.clock.now())
        for _ in range(int(wanted.get("add_photos", 0))):
            self._add_photo(band, self.clock.now())
        for key in self._chosen(self.photos[band], wanted.get("remove_photos", 0)):
            self.photos[band].remove(key, self.clock.now())

    def _chosen(self, shelf: Shelf, wanted: int | list[str]) -> list[str]:
        living = [key for key, row in shelf.living().items() if row.get("role") != "leader"]
        if isinstance(wanted, list):
            return [key for key in wanted if key in living]
        return self._random.sample(living, min(int(wanted), len(living)))

    def _join(self, band: str, at_ms: int) -> None:
        number = self._numbers[band]
        self._numbers[band] += 1
        key = f"{band}-u{number:05d}"
        role = "leader" if number == 0 else "coleader" if number < 3 else "member"
        row = {"user_key": key, "name": self._name(), "description": "", "role": role, "member_since": at_ms}
        self.members[band].put({**row, "profile_image_url": _COVER.format(key)}, at_ms)

    def _add_photo(self, band: str, at_ms: int) -> None:
        number = self._numbers[band]
        self._numbers[band] += 1
        author = self._random.choice([*self.members[band].living().values()])
        names = ("user_key", "name", "description", "role", "profile_image_url")
        key = f"{band}-p{number:05d}"
        row = {"photo_key": key, "photo_album_key": self._album(band, number % _ALBUMS), "url": _COVER.format(key)}
        size = {"width": 1280, "height": 720, "is_video_thumbnail": False}
        told = {"created_at": at_ms, "comment_count": 0, "emotion_count": self._random.randrange(9)}
        self.photos[band].put({**row, **size, **told, "author": {name: author[name] for name in names}}, at_ms)

    def _album(self, band: str, number: int) -> str:
        return f"{band}-a{number}"

    def _name(self) -> str:
        return f"{self._random.choice(_GIVEN)} {self._random.choice(_FAMILY)}"
