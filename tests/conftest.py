"""Servers that several folders of tests share; each starts when a test first asks for it."""

import os

from tests.cloud.fixtures import cloud, session_cloud
from tests.shards.stores import shard_folder, shard_uris

__all__ = ["cloud", "session_cloud", "shard_folder", "shard_uris"]

# What programs print in tests does not depend on the terminal, or the runner, that the tests are started from.
os.environ.pop("COLUMNS", None)
