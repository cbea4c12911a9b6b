"""For programs of your own that read or write clubs while they move: the map, the gate for writes, and what keeps both.

    follower = MapFollower(control, legacy_map(["shard_0", "shard_1"]), name, redis)
    follower.start()
    async with follower.gate.writing(club_text(club_id)) as shard:
        await databases[shard]["posts"].insert_one(...)
    ...
    await follower.stop()

`control` is PyMongo's asynchronous database `<database>_control` of the store that has the map, `name` this process's
own among all, `redis` a redis.asyncio client or None. docs/shards-protocol.md has the rules that this keeps, and
clients/node the same for Node.js.
"""

from dbz.shards.club_id import club_hash, club_text, club_value
from dbz.shards.errors import ClubFencedError
from dbz.shards.follow.follower import MapFollower
from dbz.shards.follow.gate import WriteGate
from dbz.shards.map import ShardMap, legacy_map

__all__ = [
    "ClubFencedError",
    "MapFollower",
    "ShardMap",
    "WriteGate",
    "club_hash",
    "club_text",
    "club_value",
    "legacy_map",
]
