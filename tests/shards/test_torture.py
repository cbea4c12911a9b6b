"""The crash matrix: a few rounds here, 200 with `make torture`."""

import os
import sys
from pathlib import Path

import pytest

from tests.shards.torture import torture

ROUNDS = int(os.environ.get("DBZ_TORTURE_ROUNDS", "20"))
SEED = int(os.environ.get("DBZ_TORTURE_SEED", "1"))


@pytest.mark.timeout(120 + 30 * ROUNDS)
def test_no_fault_at_any_state_loses_or_doubles_a_write(tmp_path: Path) -> None:
    def say(line: str) -> None:
        if "DBZ_TORTURE_ROUNDS" in os.environ:
            sys.stderr.write(line + "\n")

    assert torture(tmp_path, ROUNDS, SEED, say) == []
