"""A running `dbz serve`, and `dbz cache` beside it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import redis
from pymongo import MongoClient

from tests.cli.running import run_dbz


class Served:
    """A running `dbz serve`, and `dbz cache` beside it."""

    def __init__(self, folder: Path, document: dict[str, str]) -> None:
        self.folder = folder
        self.env = {**os.environ, "DBZ_STATE_DIR": str(folder), "NO_COLOR": "1"}
        self.url, self.mongo_uri, self.redis_url = (document[name] for name in ("url", "mongo_uri", "redis_url"))
        self.redis = redis.Redis.from_url(self.redis_url)

    def cache(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        done = run_dbz(["cache", *arguments], self.folder, {**self.env, **env})
        assert "Traceback" not in done.stdout + done.stderr and "an error in dbz itself" not in done.stderr, done.stderr
        return done

    def warmable(self) -> int:
        """How many keys the bundled warm-up makes; members who read something for the first time add to it."""
        with MongoClient(self.mongo_uri) as client:
            return 912 + int(client["dbz"]["read_marks"].count_documents({}))
