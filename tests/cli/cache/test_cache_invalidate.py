"""`dbz cache invalidate` on a running `dbz serve`."""

from __future__ import annotations

import json
import os
import pty
import subprocess

import pytest

from tests.children.processes import ended
from tests.cli.running import DBZ
from tests.cli.serving import Served


@pytest.fixture
def warmed(served: Served) -> Served:
    served.redis.flushall()
    assert served.cache("warm", "--only", "posts,clubs").returncode == 0
    return served


def test_it_prints_what_it_would_remove_and_removes_nothing_without_a_yes(warmed: Served) -> None:
    dry = warmed.cache("invalidate", "post:*", "--dry-run")
    assert dry.returncode == 0 and "9 keys" in dry.stdout
    asked = warmed.cache("invalidate", "post:*")
    assert asked.returncode == 2 and "--yes" in asked.stderr and "9 keys" in asked.stdout
    assert len(warmed.redis.keys("cache:post:*")) == 9


def test_yes_removes_and_the_server_is_told(warmed: Served) -> None:
    done = warmed.cache("invalidate", "post:*", "--yes")
    assert done.returncode == 0 and "Removed 9 keys" in done.stdout and "1 server process told" in done.stdout
    assert not warmed.redis.keys("cache:post:*") and len(warmed.redis.keys("cache:club:*")) == 3


@pytest.mark.parametrize(("answer", "code", "left"), [(b"y\n", 0, 8), (b"n\n", 130, 12)])
def test_on_a_terminal_it_asks(warmed: Served, answer: bytes, code: int, left: int) -> None:
    ours, theirs = pty.openpty()
    command = [*DBZ, "cache", "invalidate", "--club", "club00"]
    with ended(
        subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=warmed.env)
    ) as one:
        os.write(ours, answer)
        _, errors = one.communicate(timeout=30)
    os.close(ours)
    os.close(theirs)
    assert (one.returncode, len(warmed.redis.keys("cache:*"))) == (code, left), errors
    assert b"Make 4 keys stale?" in errors


def test_json_is_one_document(warmed: Served) -> None:
    found = json.loads(warmed.cache("invalidate", "*", "--dry-run", "--json").stdout)
    done = json.loads(warmed.cache("invalidate", "*", "--yes", "--json").stdout)
    assert (found["schema"], found["keys"], found["families"]) == ("dbz.cache-keys/1", 12, {"post": 9, "club": 3})
    assert (done["schema"], done["removed"], done["complete"]) == ("dbz.cache-invalidation/1", 12, True)


@pytest.mark.parametrize("arguments", [[], ["--tag", "club00", "--yes"]])
def test_wrong_usage(served: Served, arguments: list[str]) -> None:
    done = served.cache("invalidate", *arguments)
    assert done.returncode == 2 and "FIELD:VALUE" in done.stderr
