"""The crash matrix: a few rounds here, 200 with `make torture`; with the Python follower and with the Node one."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.shards.test_follow import node_client
from tests.shards.torture import torture
from tests.shards.writers import node_writing, writing

ROUNDS = int(os.environ.get("DBZ_TORTURE_ROUNDS", "5"))
SEED = int(os.environ.get("DBZ_TORTURE_SEED", "1"))


def say(line: str) -> None:
    if "DBZ_TORTURE_ROUNDS" in os.environ:
        sys.stderr.write(line + "\n")


@pytest.mark.timeout(120 + 30 * ROUNDS)
@pytest.mark.parametrize("writers", [writing, node_writing], ids=["python", "node"])
def test_no_fault_at_any_state_loses_or_doubles_a_write(tmp_path: Path, writers: Callable[..., Any]) -> None:
    if writers is node_writing:
        node_client()
    rounds = ROUNDS if writers is writing or "DBZ_TORTURE_ROUNDS" in os.environ else ROUNDS // 2
    assert torture(tmp_path, rounds, SEED, say, writers=writers) == []
