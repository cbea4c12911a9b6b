"""A plain installation: what only an extra brings is not there."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dbz.errors import ExitCode
from dbz.extras import CLOUD, GENERATOR, INSTALL, NOT_BUILT, NOT_BUILT_FROM, OTLP, RECORD, SERVER, cure_of
from tests.cli.commands import DeclaredCommand, every_command
from tests.cli.running import small_server
from tests.whole import some

OF_EXTRAS = {name.partition(".")[0] for name in (*GENERATOR, *SERVER, *CLOUD, *OTLP, *RECORD)}
HIDDEN = OF_EXTRAS | {"bson", "gridfs", "botocore", "uvloop", "greenlet", "zmq"}
PLAIN = """
import os
import sys
from importlib.machinery import PathFinder

class Plain(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        hidden = name.partition(".")[0] in os.environ["HIDDEN"].split()
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
    ("queue", "drop"): ["--all", "--yes"],
    ("queue", "retry"): ["--all", "--yes"],
    ("events", "asl"): ["game_result"],
    ("capacity",): ["smoke", "--embedded"],
}
NEEDS_NOTHING = {"completion", "doctor", "help", "report", "budget", "import", "init", "monitor", "schema"}
WORKS_PLAINLY = {("scale", "history"), ("scale", "simulate"), ("scale", "size")}

TESTS = Path(__file__).parent.parent
JUDGED, RECORDED = TESTS / "report" / "golden", TESTS / "bring" / "files" / "tab1.har"


def plain(*arguments: str, cwd: Path, hidden: set[str] = HIDDEN) -> subprocess.CompletedProcess[str]:
    """Run `dbz` as if only the required packages were installed."""
    known = {**os.environ, "DBZ_STATE_DIR": str(cwd / "state"), "AWS_ACCESS_KEY_ID": "x", "HIDDEN": " ".join(hidden)}
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


def test_a_package_that_is_not_built_for_a_python_is_no_part_of_its_extras_and_the_cure_says_so() -> None:
    project = tomllib.loads((TESTS.parent / "pyproject.toml").read_text())["project"]
    extras = [Requirement(line) for lines in project["optional-dependencies"].values() for line in lines]
    for python in ((3, 11), (3, 13), (3, 14), (3, 15)):
        version = ".".join(map(str, python))
        left_out = {one.name for one in extras if one.marker and not one.marker.evaluate({"python_version": version})}
        assert left_out == (set(NOT_BUILT) if python >= NOT_BUILT_FROM else set())
        for package in {one.name for one in extras}:
            cure = cure_of([package], "embedded", python)
            assert (cure == INSTALL["embedded"]) == (package not in left_out)
            assert package not in left_out or {"3.11", "3.13", version, package} <= set(cure.replace(":", "").split())


def beyond_the_required() -> set[str]:
    """The modules of all installed packages that the required ones do not bring, of those whose names tell them."""
    required, found = [Requirement("dbz-ops")], set()
    while required:
        name = canonicalize_name(required.pop().name)
        if name not in found:
            found.add(name)
            needs = (Requirement(line) for line in requires(name) or ())
            required += [need for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    brought = {
        module: {canonicalize_name(package) for package in packages}
        for module, packages in packages_distributions().items()
    }
    return {module for module, packages in brought.items() if not packages & found} - {"_distutils_hack"}


@pytest.mark.parametrize(
    "words",
    [
        ["scale", "simulate"],
        ["scale", "history"],
        ["report", "list"],
        ["report", "show", str(JUDGED)],
        ["budget", "metrics"],
        ["import", str(RECORDED), "-o", "scenario.py"],
        ["monitor", "check"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_what_needs_no_extra_works_without(words: list[str], tmp_path: Path) -> None:
    done = plain(*words, cwd=tmp_path, hidden=beyond_the_required())
    assert done.returncode == ExitCode.OK, done.stdout + done.stderr


def test_a_stream_of_metrics_names_its_extra_before_the_load(tmp_path: Path) -> None:
    with small_server() as url:
        done = plain(
            "load", url, "--otlp", "http://127.0.0.1:4318", "--duration", "1s", cwd=tmp_path, hidden={"opentelemetry"}
        )
    assert done.returncode == ExitCode.UNREACHABLE and INSTALL["otlp"] in done.stderr
    assert not list(tmp_path.glob("reports/*/report.html"))
