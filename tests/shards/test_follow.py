"""The protocol for those who follow the map: the vectors in docs, kept by the Python follower and by the Node one."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from bson import decode

from dbz.follow import ClubFencedError, ShardMap, WriteGate, club_hash, club_text
from tests.shards import vectors

pytestmark = pytest.mark.anyio
VECTORS = json.loads(vectors.FILE.read_text(encoding="utf-8"))
NODE = Path(__file__).parents[2] / "clients" / "node"


def node_client() -> None:
    """Install what the Node client needs, once, or skip."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("Node.js and npm are not installed: the Node client cannot be tried")
    installed, wanted = NODE / "node_modules" / ".package-lock.json", NODE / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime:
        command = ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(command, cwd=NODE, check=True, timeout=100, stdout=subprocess.DEVNULL)
        installed.touch()


def test_the_vectors_are_those_that_are_thought_of_here() -> None:
    assert json.loads(json.dumps(vectors.made())) == VECTORS


def test_ids_and_maps() -> None:
    for row in VECTORS["ids"]:
        text = club_text(decode(base64.b64decode(row["bson"]))["id"])
        assert text == row["text"] and (text is None or club_hash(text) == row["hash"])
    for row in VECTORS["maps"]:
        found = ShardMap.from_document(row["map"])
        for lookup in row["lookups"]:
            fence = found.fence_of(lookup["club"])
            assert (found.slot_of(lookup["club"]), found.shard_of(lookup["club"])) == (lookup["slot"], lookup["shard"])
            assert (fence and fence.move) == lookup["fence"]


class Scene:
    """A gate on a clock of its own, and the writes that were begun."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.gate = WriteGate(lambda: self.now)
        self.outcomes: dict[str, str] = {}
        self.ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.draining: asyncio.Task[int] | None = None

    async def do(self, step: dict[str, Any]) -> None:
        """Carry out a step, and let everybody come to rest."""
        match step["do"]:
            case "time":
                self.now += step["s"]
                self.gate.notify()
            case "renew":
                self.gate.renewed_at = self.now
            case "apply":
                self.gate.apply(ShardMap.from_document(step["map"]))
            case "begin":
                name = step["write"]
                self.outcomes[name], self.ends[name] = "waits", asyncio.Event()
                self.tasks[name] = asyncio.create_task(self._write(name, step["club"]))
            case "end":
                self.ends[step["write"]].set()
            case "drain":
                self.draining = asyncio.create_task(self.gate.drained())
        for _ in range(20):
            await asyncio.sleep(0)

    async def _write(self, name: str, club: str) -> None:
        try:
            async with self.gate.writing(club) as shard:
                self.outcomes[name] = shard
                await self.ends[name].wait()
        except ClubFencedError:
            self.outcomes[name] = "refused"


@pytest.mark.parametrize("case", VECTORS["gate"], ids=lambda case: case["name"])
async def test_the_gate(case: dict[str, Any]) -> None:
    scene = Scene()
    for step in case["steps"]:
        await scene.do(step)
        for write, outcome in step.get("writes", {}).items():
            assert scene.outcomes[write] == outcome, step
        if "drained" in step:
            assert scene.draining is not None
            assert (scene.draining.result() if scene.draining.done() else None) == step["drained"], step
        if "overrun" in step:
            assert [fence.move for fence in scene.gate.overrun()] == step["overrun"], step
    for task in [*scene.tasks.values(), *([scene.draining] if scene.draining else [])]:
        task.cancel()


def test_the_node_client_keeps_the_same_vectors() -> None:
    node_client()
    done = subprocess.run(["npm", "test", "--silent"], cwd=NODE, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"# pass {2 + len(VECTORS['gate'])}" in done.stdout
