"""A target whose disk fills up while a club is copied to it: a real file system that is full, for a real store."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dbz.children import Child, free_port, wait_until
from dbz.errors import DependencyError
from dbz.shards.deployment import Deployment
from dbz.shards.journal import State
from dbz.shards.plan.adoption import adopt
from dbz.shards.plan.document import PlannedMove
from tests.server.backend import listens, mongo_uri
from tests.shards.moves import findings, working
from tests.shards.stores import World, make_world

_MOUNT = 'mount -t tmpfs -o size="$0" none "$1" && shift && exec "$@"'


def _can_mount() -> bool:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        tried = subprocess.run(["unshare", "--mount", "sh", "-c", _MOUNT, "1m", folder, "true"], capture_output=True)
    return tried.returncode == 0


@contextmanager
def _store_on_a_small_disk(folder: Path, port: int, size: str) -> Iterator[Child]:
    """A store whose data lie on a disk of their own, which is gone with it."""
    server = [str(Path(sys.executable).parent / "secantusd-py"), "--host", "127.0.0.1", "--port", str(port)]
    options = ["--storage-path", str(folder), "--log-level", "ERROR"]
    command = ["unshare", "--mount", "sh", "-c", _MOUNT, size, str(folder), *server, *options]
    with Child("small store", command, log=folder.parent / "small.log") as child:
        wait_until(lambda: listens(port), child, deadline_s=30, what="the small store")
        yield child
        child.interrupt(signal.SIGKILL)


@pytest.mark.skipif(not _can_mount(), reason="mounting a small disk takes root and unshare")
def test_a_full_target_is_named_and_the_club_stays_until_there_is_room(
    tmp_path: Path, shard_uris: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dbz.shards.move.rebalance._PAUSES_S", (0.1,))
    port = free_port()
    world = make_world(tmp_path, [shard_uris[0], mongo_uri(port)], f"t{secrets.token_hex(6)}", shard_count=1)
    world.deployment = Deployment(world.deployment.file, world.environment, timeout_s=1.0)
    small = tmp_path / "small"
    small.mkdir()
    with world.deployment:
        rows = [{"_id": f"club00/{at:06d}", "club_id": "club00", "text": secrets.token_hex(2000)} for at in range(2000)]
        source = world.deployment.shard("shard_0")["posts"]
        source.insert_many(rows)
        adopt(world.deployment)
        with _store_on_a_small_disk(small, port, "10m"), working(world) as (work, control, journal):
            journal.add([PlannedMove("club00", "shard_0", "shard_1", len(rows), 1)])
            with pytest.raises(DependencyError, match=r"^shard_1 \(TEST_SHARD_1\) failed: ") as failed:
                work.run()
            assert "is its disk full?" in failed.value.hint
        with working(world) as (work, control, journal):
            (left,) = work.unfinished()
            assert left.state == State.COPYING and control.map().shard_of("club00") == "shard_0"
            assert not control.map().fenced and control.map().epoch == 1
        assert source.count_documents({"club_id": "club00"}) == len(rows)
        with _store_on_a_small_disk(small, port, "200m"), working(world) as (work, control, _):
            assert not work.run().failed
            assert control.map().shard_of("club00") == "shard_1"
            _same(world, len(rows))
            assert findings(world) == []


def _same(world: World, number: int) -> None:
    moved = world.found("club00", "shard_1")["posts"]
    assert len(moved) == number and moved == world.found("club00", "shard_0")["posts"]
