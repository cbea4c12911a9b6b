"""What moving documents costs, purely: by their number, their bytes, and the indexes of their collection.

A store reads a document in about one unit of time and writes it in two, and one and a half for each index; bytes come
on top. How long a unit is says a sample, and later each batch; that copying rests, and keeps below a rate, is reckoned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

UNIT_S = 150e-6
"""A unit where nothing was measured yet: a store on a machine that does other things too."""
PACED = 4.0
"""With a rate, copying takes a quarter of a store's time: after each batch it rests three times as long."""
_READ_BYTES = 10_000
_WRITE, _WRITE_INDEX, _WRITE_BYTES = 2.0, 1.5, 5_000


@dataclass(frozen=True)
class Load:
    """Documents of one collection."""

    docs: float = 0.0
    bytes: float = 0.0
    indexes: int = 0
    """Beside that of `_id`."""

    def less(self, other: Load) -> Load:
        """What is left without another load."""
        return Load(max(0.0, self.docs - other.docs), max(0.0, self.bytes - other.bytes), self.indexes)

    def plus(self, docs: float, size_bytes: float) -> Load:
        """With more documents."""
        return Load(self.docs + docs, self.bytes + size_bytes, self.indexes)


Mix = Mapping[str, Load]
"""{collection: all that a shard has of it}"""


def shared_out(mix: Mix, docs: float, size_bytes: float) -> dict[str, Load]:
    """A club's documents by collection, as if it had of each the share that its shard has; all in one without a mix."""
    all_docs, all_bytes = sum(one.docs for one in mix.values()), sum(one.bytes for one in mix.values())
    if not all_docs or not all_bytes:
        return {"": Load(docs, size_bytes)}
    return {
        name: Load(docs * one.docs / all_docs, size_bytes * one.bytes / all_bytes, one.indexes)
        for name, one in mix.items()
    }


def read_units(load: Load) -> float:
    """Units of time to read documents once."""
    return load.docs + load.bytes / _READ_BYTES


def write_units(load: Load) -> float:
    """Units of time to write them."""
    return load.docs * (_WRITE + _WRITE_INDEX * load.indexes) + load.bytes / _WRITE_BYTES


@dataclass(frozen=True)
class CopyCost:
    """Seconds for documents, with units of `unit_s` and below `limit_bytes_per_s`; None takes all of a store's time."""

    unit_s: float = UNIT_S
    limit_bytes_per_s: float | None = None

    def copy_s(self, load: Load) -> float:
        """Reading from one shard, and writing to the other."""
        writing_s = write_units(load) * self.unit_s
        return read_units(load) * self.unit_s + self._paced(writing_s, load.bytes)

    def compare_s(self, load: Load) -> float:
        """Reading, on one of the two shards."""
        return self._paced(read_units(load) * self.unit_s, load.bytes)

    def _paced(self, busy_s: float, size_bytes: float) -> float:
        if self.limit_bytes_per_s is None:
            return busy_s
        return max(PACED * busy_s, size_bytes / self.limit_bytes_per_s)


def in_all(loads: Iterable[Load]) -> Load:
    """Documents and bytes together."""
    found = list(loads)
    return Load(sum(one.docs for one in found), sum(one.bytes for one in found))
