"""Names in Redis: entries begin with the prefix, what the cache keeps for itself does not, so no pattern reaches it."""

from __future__ import annotations

from functools import lru_cache

from dbz.cache.glob import escape

_FAMILIES_KEPT = 20_000  # a list asks for those of all its rows


class Names:
    """Entries are `<prefix><key>`. The others share a hash tag: in a Redis Cluster they lie in one slot."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        own = f"{{{prefix}}}"
        self.epoch = f"{own}epoch"
        self.log = f"{own}log"
        self.channel = f"{own}invalidated"
        self.statistics = f"{own}statistics"
        self.warming = f"{own}warming"
        self.warmed = f"{own}warmed"
        self.purges = f"{own}purges"
        self._warm = f"{own}warm:"

    def entry(self, key: str) -> str:
        """Where the value of `key` is."""
        return f"{self.prefix}{key}"

    def glob(self, pattern: str) -> str:
        """Where the keys lie that the glob `pattern` matches."""
        return f"{escape(self.prefix)}{pattern}"

    def checkpoint(self, what: str) -> str:
        """Where a warm-up of this kind notes how far it is."""
        return f"{self._warm}{what}"


@lru_cache(maxsize=_FAMILIES_KEPT)
def family(key: str) -> str:
    """The part of a key before its first colon; of `query:` keys the part before the second."""
    at = key.find(":", 6) if key.startswith("query:") else key.find(":")
    return key[:at] if at > 0 else key
