"""Test vectors of the protocol for those who follow the map, for every implementation: docs/shards-vectors.json.

`python -m tests.shards.vectors` writes them anew. What is *given* is thought of here; the hashes and places of clubs
come from the Python implementation, and the Node one is held against them.
"""

# ruff: noqa: E501 a step stands on one line

from __future__ import annotations

import base64
import datetime as dt
import json
import uuid
from pathlib import Path
from typing import Any

from bson import Binary, Decimal128, Int64, ObjectId, Timestamp, encode

from dbz.shards.club_id import club_hash, club_text
from dbz.shards.map import Fence, ShardMap, legacy_map

FILE = Path(__file__).parents[2] / "docs" / "shards-vectors.json"
IDS: list[Any] = [
    "", "club00", "club01", "42", "Ä", "🏸", "polygenelubricants", '{"$oid":"x"}', '{"a"', "a\nb\"c", 0, 1, 42, -7,
    Int64(42), 42.0, 2**31, Int64(2**53 + 1), Int64(2**63 - 1), 1.5, -0.25, 1e-7, 0.00001, 1.5e-9, 1e21, 1e300,
    Decimal128("42.00"), Decimal128("1.50"), Decimal128("4.2E+3"), Decimal128("-0"), Decimal128("NaN"),
    ObjectId("65f0c0ffee0123456789abcd"), Binary.from_uuid(uuid.UUID("c8edabc3-f738-4ca3-b68d-ab92a91478a3")),
    Binary(b"abc", 0x80), True, False, dt.datetime(2026, 11, 29, 10, tzinfo=dt.UTC), Timestamp(7, 1),
    None, [], ["a"], {}, {"a": 1}, float("nan"), float("inf"),
]  # fmt: skip


def ids() -> list[dict[str, Any]]:
    """Ids as BSON, their texts, and the hashes."""
    rows = []
    for value in IDS:
        text = club_text(value)
        bson = base64.b64encode(encode({"id": value})).decode()
        rows.append({"bson": bson, "text": text, "hash": None if text is None else club_hash(text)})
    return rows


def maps() -> list[dict[str, Any]]:
    """Maps, and where clubs lie by them."""
    plain = legacy_map(["a", "b", "c"], "d", 1)
    moved = plain.placing({"club00": "c", "club01": "x"}).pinning(["club00"])
    fenced = moved.next(fenced={"club02": Fence("m0001", 0.5)})
    slot = fenced.slot_of("club03")
    closed = fenced.next(closed={slot: Fence("slots", 0.5), fenced.slot_of("club00"): Fence("slots", 0.5)})
    clubs = [
        "club00",
        "club01",
        "club02",
        "club03",
        "Ä",
        club_text(42),
        club_text(ObjectId("65f0c0ffee0123456789abcd")),
    ]
    return [
        {"map": one.document(), "lookups": [_lookup(one, str(club)) for club in clubs]}
        for one in (plain, moved, fenced, closed)
    ]


def _lookup(one: ShardMap, club: str) -> dict[str, Any]:
    fence = one.fence_of(club)
    return {"club": club, "slot": one.slot_of(club), "shard": one.shard_of(club), "fence": fence and fence.move}


def gate() -> list[dict[str, Any]]:
    """What a gate does, step by step: `writes` are the states of writes after the step."""
    free = legacy_map(["a", "b"], "d", 1)
    home, away = free.shard_of("k"), {"a": "b", "b": "a"}[free.shard_of("k")]
    fenced = free.next(fenced={"k": Fence("m1", 0.5)})
    flipped = fenced.placing({"k": away})
    again = flipped.next(fenced={"k": Fence("m2", 0.5)})
    closed = free.next(closed={free.slot_of("new"): Fence("slots", 0.5)})

    def step(do: str, **fields: Any) -> dict[str, Any]:
        if isinstance(fields.get("map"), ShardMap):
            fields["map"] = fields["map"].document()
        return {"do": do, **fields}

    def begin(write: str, club: str, outcome: str, **fields: Any) -> dict[str, Any]:
        return step("begin", write=write, club=club, writes={write: outcome}, **fields)

    ready = [step("apply", map=free), step("renew")]
    return [
        {"name": "nothing is written while no map is known", "steps": [begin("w", "k", "refused")]},
        {"name": "a map alone is not enough: the entry in the control store must stand",
         "steps": [step("apply", map=free), begin("w", "k", "refused"), step("renew"), begin("v", "k", home)]},
        {"name": "without renewal for the length of the lease nothing is written",
         "steps": [*ready, step("time", s=10.0), begin("w", "k", home), step("time", s=0.1), begin("v", "k", "refused"),
                   step("renew"), begin("u", "k", home)]},
        {"name": "a fenced write waits, and goes where the club lies afterwards",
         "steps": [*ready, step("apply", map=fenced), begin("w", "k", "waits"), step("time", s=0.4, writes={"w": "waits"}),
                   step("apply", map=flipped, writes={"w": away}), begin("v", "k", away)]},
        {"name": "a fenced write is refused when the fence stands for its whole time",
         "steps": [*ready, step("apply", map=fenced), begin("w", "k", "waits"), step("time", s=0.6, writes={"w": "refused"}),
                   begin("v", "k", "refused", overrun=["m1"]), begin("u", "other", free.shard_of("other"))]},
        {"name": "the time of a fence counts from when it was first seen, whatever other maps come",
         "steps": [*ready, step("apply", map=fenced), step("time", s=0.4), step("apply", map=fenced.next()),
                   begin("w", "k", "waits", overrun=[]), step("time", s=0.2, writes={"w": "refused"}, overrun=["m1"])]},
        {"name": "a fence that is lifted lets writes go on where they went before",
         "steps": [*ready, step("apply", map=fenced), begin("w", "k", "waits"),
                   step("apply", map=fenced.next(fenced={}), writes={"w": home}, overrun=[])]},
        {"name": "an epoch is drained when no write is under way that it forbids",
         "steps": [*ready, begin("w", "k", home), begin("v", "other", free.shard_of("other")), step("drain", drained=1),
                   step("apply", map=fenced), step("drain", drained=None), step("end", write="w", drained=2)]},
        {"name": "a later map is drained in place of the one that was waited for",
         "steps": [*ready, begin("w", "k", home), step("apply", map=fenced), step("drain", drained=None),
                   step("apply", map=flipped, drained=3)]},
        {"name": "each fence has a time of its own",
         "steps": [*ready, step("apply", map=fenced), step("time", s=0.4), step("apply", map=flipped), step("apply", map=again),
                   begin("w", "k", "waits"), step("time", s=0.3, writes={"w": "waits"}, overrun=[]),
                   step("time", s=0.3, writes={"w": "refused"}, overrun=["m2"])]},
        {"name": "in a closed slot clubs without an entry wait, clubs with one do not",
         "steps": [*ready, step("apply", map=closed), begin("w", "new", "waits"), begin("v", "k", home),
                   step("apply", map=closed.reslotted(("a", "b"), ["b"] * len(closed.slots), ["k"]), writes={"w": "b"})]},
    ]  # fmt: skip


def made() -> dict[str, Any]:
    """The whole document."""
    return {"schema": "dbz.shards-vectors/1", "ids": ids(), "maps": maps(), "gate": gate()}


if __name__ == "__main__":
    FILE.write_text(json.dumps(made(), ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
