"""A plain installation: what only an extra brings is not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dbz.errors import ExitCode
from dbz.extras import CLOUD, INSTALL, OTLP, RECORD, SERVER
from tests.cli.commands import DeclaredCommand, every_command
from tests.cli.running import small_server
from tests.whole import some

HIDDEN = sorted(
    {name.partition(".")[0] for name in (*SERVER, *CLOUD, *OTLP, *RECORD)} | {"bson", "gridfs", "botocore", "uvloop"}
)
PLAIN = f"""
import sys
from importlib.machinery import PathFinder

class Plain(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        hidden = name.partition(".")[0] in {HIDDEN!r}
        return None if hidden else PathFinder.find_spec(name, path, target)

sys.meta_path = [Plain if one is PathFinder else one for one in sys.meta_path]
from dbz.cli.main import main
main()
"""
GIVEN = {
    ("cache", "get"): ["post:1"],
    ("cache", "ttl"): ["post:*"],
    ("cache", "invalidate"): ["post:*", "--yes"],
    ("shard", "route"): ["club00"],
    ("shard", "query"): ["posts"],
    ("shard", "rollback"): ["m0001"],
    ("scale", "plan"): ["phase_2"],
    ("scale", "apply"): ["phase_2"],
    ("scale", "set"): ["--tasks", "2"],
    ("scale", "auto"): ["--dry-run"],
    ("load",): ["smoke", "--embedded"],
    ("try",): ["smoke"],
    ("record",): ["--target", "http://127.0.0.1:9"],
    ("shard", "control"): ["status"],
    ("capacity",): ["smoke", "--embedded"],
}
NEEDS_NOTHING = {"doctor", "report", "budget", "import", "init", "monitor", "schema"}
WORKS_PLAINLY = {("scale", "history"), ("scale", "simulate"), ("scale", "size")}


def plain(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run `dbz` as if only the required packages were installed."""
    known = {**os.environ, "DBZ_STATE_DIR": str(cwd / "state"), "AWS_ACCESS_KEY_ID": "x", **env}
    done = subprocess.run(
        [sys.executable, "-c", PLAIN, *arguments], cwd=cwd, env=known, capture_output=True, text=True, timeout=60
    )
    assert "Traceback" not in done.stdout + done.stderr and "an error in dbz itself" not in done.stderr
    return done


def needy() -> list[DeclaredCommand]:
    return [one for one in every_command() if one.words[0] not in NEEDS_NOTHING and one.words not in WORKS_PLAINLY]


@pytest.mark.parametrize("command", some(needy(), 15), ids=lambda one: " ".join(one.words))
def test_a_command_names_the_extra_that_it_needs(command: DeclaredCommand, tmp_path: Path) -> None:
    options = dict(command.options)
    given = [one for one in GIVEN.get(command.words, []) if one != "--embedded" or one in options]
    done = plain(*command.words, *given, cwd=tmp_path)
    assert done.returncode == ExitCode.UNREACHABLE, done.stderr
    assert any(install in done.stderr for install in INSTALL.values()), done.stderr


@pytest.mark.parametrize(
    "words", [["scale", "simulate"], ["scale", "history"], ["report", "list"], ["budget", "metrics"]]
)
def test_what_needs_no_extra_works_without(words: list[str], tmp_path: Path) -> None:
    assert plain(*words, cwd=tmp_path).returncode == ExitCode.OK


def test_a_stream_of_metrics_names_its_extra_before_the_load(tmp_path: Path) -> None:
    with small_server() as url:
        done = plain("load", url, "--otlp", "http://127.0.0.1:4318", "--duration", "1s", cwd=tmp_path)
    assert done.returncode == ExitCode.UNREACHABLE and INSTALL["otlp"] in done.stderr
    assert not list(tmp_path.glob("reports/*/report.html"))
