"""The in-process layer: least recently used entries go first when it is full by count or by bytes."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from dbz.cache.glob import compile_glob, is_literal

MISSING: Final = object()


@dataclass(slots=True)
class LocalEntry:
    """One cached value with its size in bytes and the clock reading at which it ends."""

    value: Any
    size_bytes: int
    ends_at: float


class LocalLayer:
    """A bounded map of values that expire. Values are shared between readers: nobody may change them."""

    def __init__(self, max_entries: int, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._entries: OrderedDict[str, LocalEntry] = OrderedDict()
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str) -> Any:
        """The value of `key`, or `MISSING` when there is none or it has expired."""
        entry = self._entries.get(key)
        if entry is None:
            return MISSING
        if entry.ends_at <= self._clock():
            self.remove(key)
            return MISSING
        self._entries.move_to_end(key)
        return entry.value

    def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """The values of those `keys` that are here and have not expired."""
        now, found = self._clock(), {}
        entry_of, used = self._entries.get, self._entries.move_to_end
        for key in keys:
            entry = entry_of(key)
            if entry is not None and entry.ends_at > now:
                used(key)
                found[key] = entry.value
        return found

    def put(self, key: str, value: Any, size_bytes: int, ttl_s: float) -> None:
        """Keep `value` for `ttl_s` seconds; a value larger than the whole layer is not kept."""
        self.remove(key)
        if size_bytes > self._max_bytes:
            return
        self._entries[key] = LocalEntry(value, size_bytes, self._clock() + ttl_s)
        self.size_bytes += size_bytes
        while len(self._entries) > self._max_entries or self.size_bytes > self._max_bytes:
            self.remove(next(iter(self._entries)))

    def remove(self, key: str) -> bool:
        """Forget `key`; True when it was there."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return False
        self.size_bytes -= entry.size_bytes
        return True

    def remove_matching(self, pattern: str) -> int:
        """Forget every key that the glob `pattern` matches; returns how many."""
        if is_literal(pattern):
            return int(self.remove(pattern))
        matches = compile_glob(pattern).fullmatch
        return sum(self.remove(key) for key in [key for key in self._entries if matches(key)])

    def drop_expired(self) -> int:
        """Forget the entries that have expired but were not asked for again; returns how many."""
        now = self._clock()
        return sum(self.remove(key) for key in [key for key, entry in self._entries.items() if entry.ends_at <= now])

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self.size_bytes = 0
