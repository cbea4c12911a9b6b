"""What a server tells of its caches: how many keys were asked for, and how many of them were there.

Under the names of our own server, of micrometer, of django-prometheus, and plain `cache_hits_total`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dbz.targets.counters import Key, all_added
from dbz.targets.exposition import Exposition


@dataclass(frozen=True)
class _Part:
    """Samples of a counter that have certain labels."""

    name: str
    where: tuple[tuple[str, str], ...] = ()

    def read(self, page: Exposition) -> dict[Key, float]:
        return {
            (("", self.name), *sorted(sample.labels.items())): sample.value
            for sample in page.samples.get(self.name, ())
            if all(sample.labels.get(key) == value for key, value in self.where) and sample.value >= 0
        }


@dataclass(frozen=True)
class _CacheNames:
    """How one library tells it."""

    hits: _Part
    asked: Sequence[_Part]


_OURS, _MICROMETER = "dbz_cache_requests_total", "cache_gets_total"
_KNOWN = (
    # A key that the local layer does not have is asked of the remote one: either may have it.
    _CacheNames(_Part(_OURS, (("outcome", "hit"),)), [_Part(_OURS, (("layer", "local"),))]),
    _CacheNames(_Part(_MICROMETER, (("result", "hit"),)), [_Part(_MICROMETER)]),
    _CacheNames(_Part("django_cache_get_hits_total"), [_Part("django_cache_get_total")]),
    _CacheNames(_Part("cache_hits_total"), [_Part("cache_hits_total"), _Part("cache_misses_total")]),
)
CACHE_NAMES = frozenset(part.name for names in _KNOWN for part in (names.hits, *names.asked))
"""The metrics that `read_caches` looks at."""


@dataclass
class CacheCounts:
    """What was counted up to a moment, by the labels of each series."""

    hits: Mapping[Key, float] = field(default_factory=dict)
    asked: Mapping[Key, float] = field(default_factory=dict)


def read_caches(page: Exposition) -> CacheCounts | None:
    """What a page tells of caches; None when it tells nothing that we know."""
    for names in _KNOWN:
        asked = {key: value for part in names.asked for key, value in part.read(page).items()}
        if asked:
            return CacheCounts(names.hits.read(page), asked)
    return None


def lookups_between(before: CacheCounts, now: CacheCounts) -> tuple[float, float]:
    """How many of the keys that were asked for between two readings were there, and how many were asked for."""
    return all_added(now.hits, before.hits), all_added(now.asked, before.asked)
