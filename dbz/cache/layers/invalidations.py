"""What was invalidated lately, so that a value read before an invalidation is never stored after it."""

from __future__ import annotations

from collections import deque

from dbz.cache.glob import compile_glob

_KEPT = 2000


class InvalidationLog:
    """The last invalidations of this process in order; `mark` before a read, `covers` before a store."""

    def __init__(self, kept: int = _KEPT) -> None:
        self._patterns: deque[str] = deque(maxlen=kept)
        self._count = 0

    def mark(self) -> int:
        """A point in time, to be handed to `covers` later."""
        return self._count

    def add(self, pattern: str) -> None:
        """Remember that the keys matching `pattern` became stale now."""
        self._patterns.append(pattern)
        self._count += 1

    def covers(self, key: str, mark: int) -> bool:
        """Whether `key` was, or may have been, invalidated since `mark`."""
        newer = self._count - mark
        if newer > len(self._patterns):
            return True
        return newer > 0 and matches_any(key, [self._patterns[-1 - back] for back in range(newer)])


def matches_any(key: str, patterns: list[str]) -> bool:
    """Whether one of the glob `patterns` matches `key`."""
    return any(pattern == key or compile_glob(pattern).fullmatch(key) for pattern in patterns)
