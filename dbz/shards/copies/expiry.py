"""What TTL indexes explain: a document that the store itself has removed, or is about to remove, on one shard."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import decode

from dbz.shards.changes import Key
from dbz.shards.club_id import at
from dbz.shards.copies.compare import ClubDifference
from dbz.shards.deployment import Deployment

_SLACK = timedelta(minutes=2)
"""A store looks for what has expired once a minute, and its clock need not be ours."""
_AT_ONCE = 1000

Lives = Mapping[str, Sequence[tuple[str, float]]]
"""{collection: (field, seconds after its date) of each TTL index}"""


class Expiry:
    """The TTL indexes of a club's collections, on the shard of a copy or on that of its owner."""

    def __init__(self, deployment: Deployment, copy_shard: str, owner: str) -> None:
        self._deployment = deployment
        self._copy_shard = copy_shard
        self._owner = owner
        self._lives = {name: lives for name in deployment.file.collections if (lives := self._of(name))}

    def _of(self, collection: str) -> list[tuple[str, float]]:
        found: dict[tuple[str, float], None] = {}
        for shard in (self._copy_shard, self._owner):
            for index in self._deployment.shard(shard)[collection].index_information().values():
                if "expireAfterSeconds" in index:
                    found[index["key"][0][0], float(index["expireAfterSeconds"])] = None
        return list(found)

    def without_expired(self, found: ClubDifference, changed: Collection[Key]) -> ClubDifference:
        """The differences that no TTL explains.

        What the copy lacks may have expired there when its owner's document has, or when that was changed since:
        then the copy's was an older one, that nobody can look at any more. What the copy has too much may go at
        its owner's first, when it has expired itself.
        """
        if not self._lives:
            return found
        missing = [key for key in found.missing if key not in self._gone(found.missing, self._owner, changed)]
        extra = [key for key in found.extra if key not in self._gone(found.extra, self._copy_shard, ())]
        return ClubDifference(missing, extra, found.different, found.same)

    def _gone(self, keys: Sequence[Key], shard: str, changed: Collection[Key]) -> set[Key]:
        gone: set[Key] = set()
        for collection, lives in self._lives.items():
            mine = {repr(decode(key)["_id"]): (collection, key) for name, key in keys if name == collection}
            ids = [decode(key)["_id"] for _, key in mine.values()]
            for begin in range(0, len(ids), _AT_ONCE):
                wanted = {"_id": {"$in": ids[begin : begin + _AT_ONCE]}}
                for row in self._deployment.shard(shard)[collection].find(wanted):
                    key = mine.get(repr(row["_id"]))
                    if key is not None and any(_may_be_gone(row, *life, known=key not in changed) for life in lives):
                        gone.add(key)
        return gone


def _may_be_gone(row: Mapping[str, Any], path: str, after_s: float, *, known: bool) -> bool:
    """Whether a document expires by a TTL index, and, when its date is the one it had, has expired by now."""
    value = at(row, path)
    dates = [date for date in (value if isinstance(value, list) else [value]) if isinstance(date, datetime)]
    if not dates:
        return False
    first = min(date if date.tzinfo else date.replace(tzinfo=UTC) for date in dates)
    return not known or first + timedelta(seconds=after_s) <= datetime.now(UTC) + _SLACK
