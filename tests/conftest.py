"""Servers that several folders of tests share; each starts when a test first asks for it."""

from tests.shards.stores import shard_folder, shard_uris

__all__ = ["shard_folder", "shard_uris"]
