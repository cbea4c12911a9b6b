"""`dbz cache` beside a Redis in trouble: seeded rounds, with the documents as the ledger that nobody tried can change.

Whatever happened: a key holds its document's value or nothing; exit code 0 means that all was done; and once Redis is
well, invalidating leaves nothing, and warming makes exactly what the documents say.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from dbz.children import free_port
from tests.chaos.bad_redis import FAULTS, BadRedis
from tests.cli.running import DBZ, run_dbz
from tests.server.backend import mongo_uri, start_mongo

_DOCUMENTS = 400
_WARMUP = """\
schema: dbz.warmup/1
warmers:
  - {name: docs, collection: docs, key: "doc:{_id}", ttl: 1h, projection: [_id, n, text]}
"""
_DOCUMENTED = {"warm": (0, 3), "invalidate": (0, 3), "check": (0, 1, 3, 4)}
"""All done; a verification that failed (check); Redis cannot be reached, is full, evicts, or may not be written."""
_COMMAND_WITHIN_S = 180.0
Say = Callable[[str], None]


class CacheChaos:
    """A document store, and a Redis in trouble."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder, self._random = folder, random.Random(seed)
        port = free_port()
        self._mongo = start_mongo(folder, port)
        self._uri = mongo_uri(port)
        self._client: MongoClient[dict[str, Any]] = MongoClient(self._uri)
        self._docs = self._client["chaos"]["docs"]
        self._docs.insert_many({"_id": f"d{n:04}", "n": 0, "text": "x" * 200} for n in range(_DOCUMENTS))
        self.redis = BadRedis(folder)
        (folder / "w.yaml").write_text(_WARMUP)
        self.codes: Counter[str] = Counter()

    def close(self) -> None:
        """End both stores."""
        self.redis.close()
        self._client.close()
        self._mongo.stop()

    def round(self, number: int, fault: str, say: Say) -> list[str]:
        """One fault while one command runs, and all put right after it; what is wrong."""
        wrong: list[str] = []
        command = self._random.choice(("warm", "warm", "invalidate", "check"))
        if command != "warm":
            self._calm("warm", wrong)
        self._docs.update_many({"_id": {"$regex": f"{self._random.randrange(10)}$"}}, {"$inc": {"n": 1}})
        code, said = self._run(command, self._random.uniform(0.0, 1.5), fault)
        self.redis.mend()
        self.codes[f"{command} {fault}: {code}"] += 1
        if code not in _DOCUMENTED[command] or "Traceback" in said or "error in dbz itself" in said:
            wrong.append(f"exit code {code}: {said[-800:]}")
        held = self._held()
        if command == "invalidate" and code == 0 and held and fault != "kill":
            wrong.append(f"exit code 0, but {len(held)} keys are there")
        if command == "warm" and code == 0 and len(held) != _DOCUMENTS and fault not in ("kill", "evict"):
            wrong.append(f"exit code 0, but {len(held)} of {_DOCUMENTS} keys are there")
        wrong += [f"{key} holds {value[:80]!r}" for key, value in held.items() if not self._whole(key, value)][:3]
        self._calm("invalidate", wrong)
        if left := self._held():
            wrong.append(f"{len(left)} keys are there after invalidating")
        self._calm("warm", wrong)
        self._calm("check", wrong)
        documents = {f"doc:{one['_id']}": one for one in self._docs.find()}
        if {key: json.loads(value) for key, value in self._held().items()} != documents:
            wrong.append("what was warmed is not what the documents say")
        say(f"{number}: {fault} while {command}: {code}")
        return [f"round {number} ({fault} while {command}): {one}" for one in wrong]

    def _held(self) -> dict[str, bytes]:
        keys = list(self.redis.client.scan_iter("cache:doc:*", count=1000))
        values = self.redis.client.mget(keys) if keys else []
        return {key.decode().removeprefix("cache:"): value for key, value in zip(keys, values, strict=True) if value}

    def _whole(self, key: str, value: bytes) -> bool:
        """Whether an entry is a value that its document has or had."""
        try:
            held = json.loads(value)
        except ValueError:
            return False
        now = self._docs.find_one({"_id": key.removeprefix("doc:")}) or {}
        return {**held, "n": 0} == {**now, "n": 0} and 0 <= held["n"] <= now["n"]

    def _calm(self, command: str, wrong: list[str]) -> None:
        code, said = self._run(command, 0.0, "")
        if code:
            wrong.append(f"{command} on a Redis that is well ended with {code}: {said[-500:]}")

    def _run(self, command: str, after_s: float, fault: str) -> tuple[int, str]:
        stores = ["--redis-url", self.redis.url if fault else self._direct()]
        documents = ["--mongo-uri", self._uri, "--database", "chaos", "--config", "w.yaml"]
        rate = ["--rate", "300/s" if fault else "max"]
        words = {
            "warm": ["warm", *documents, *rate, "--yes"],
            "invalidate": ["invalidate", "doc:*", "--yes"],
            "check": ["check", *documents],
        }[command]
        env = {**os.environ, "NO_COLOR": "1", "DBZ_STATE_DIR": str(self._folder / "state")}
        if not fault:
            done = run_dbz(["cache", *words, *stores], self._folder, env, _COMMAND_WITHIN_S)
            return done.returncode, done.stdout + done.stderr
        process = subprocess.Popen(
            [*DBZ, "cache", *words, *stores],
            cwd=self._folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        striking = threading.Thread(target=self._strike, args=(process, command, after_s, fault))
        striking.start()
        try:
            said, _ = process.communicate(timeout=_COMMAND_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            said, process.returncode = process.communicate()[0] + "\nit hung", 99
        striking.join()
        return process.returncode, said

    def _direct(self) -> str:
        return f"redis://127.0.0.1:{self.redis.client.connection_pool.connection_kwargs['port']}"

    def _strike(self, process: subprocess.Popen[str], command: str, after_s: float, fault: str) -> None:
        # A warm-up has begun once it has written; others are over at once, so that the fault comes before or with them.
        end = time.monotonic() + 60
        while command == "warm" and process.poll() is None and time.monotonic() < end and not self._held():
            time.sleep(0.02)
        time.sleep(after_s)
        self.redis.strike(fault)


def cache_chaos(folder: Path, rounds: int, seed: int, say: Say) -> list[str]:
    """What is wrong after so many rounds, each fault as often as the others."""
    chaos, wrong, order = CacheChaos(folder, seed), [], random.Random(seed)
    faults: list[str] = []
    try:
        for number in range(1, rounds + 1):
            faults = faults or order.sample(FAULTS, len(FAULTS))
            wrong += chaos.round(number, faults.pop(), say)
        for what, count in sorted(chaos.codes.items()):
            say(f"{count:4}  {what}")
    finally:
        chaos.close()
    return wrong
