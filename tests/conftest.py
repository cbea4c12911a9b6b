"""Servers that several folders of tests share; each starts when a test first asks for it."""

import os

from hypothesis import HealthCheck, settings

from tests.cloud.fixtures import cloud, session_cloud
from tests.shards.stores import shard_folder, shard_uris

__all__ = ["cloud", "session_cloud", "shard_folder", "shard_uris"]

# What programs print in tests does not depend on the terminal, or the runner, that the tests are started from.
os.environ.pop("COLUMNS", None)

# How fast an example runs says something of the machine, and nothing of the code. The same examples each time, so that
# a change is judged by what it changed: `HYPOTHESIS_PROFILE=search` looks for new ones.
_ANY_MACHINE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("dbz", _ANY_MACHINE, derandomize=True, max_examples=60)
settings.register_profile("search", _ANY_MACHINE, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dbz"))
