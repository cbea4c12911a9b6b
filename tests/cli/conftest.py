"""One `dbz serve` for all tests of commands that work on a running stack."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.children.processes import ended, eventually
from tests.cli.running import DBZ
from tests.cli.serving import Served


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("state")
    command = [*DBZ, "serve", "--port", "0", "--json"]
    env = {**os.environ, "DBZ_STATE_DIR": str(folder)}
    said = folder / "said"
    with (
        said.open("w") as errors,
        ended(subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=errors, text=True)) as process,
    ):
        assert process.stdout is not None
        text = ""
        for line in process.stdout:
            text += line
            if line == "}\n":
                break
        assert text, said.read_text()
        stack = Served(folder, json.loads(text))
        log = folder / "serve-logs" / "server.log"
        assert eventually(lambda: "the cache is warm" in log.read_text())
        yield stack
        stack.redis.close()
        process.terminate()
