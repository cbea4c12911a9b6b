"""The files with hashes say what constraints.txt says, for everybody's machine, and name no place to get it from."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = ("core", "load", "embedded", "all")
ELSEWHERE = {"async-timeout", "colorama", "pywin32"}
"""What only other systems, or the first releases of Python 3.11, need: it is not installed where pins are made."""
_ENTRY = re.compile(r"^(\S+)==(\S+)(?: ; (.+?))? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE)


@cache
def locked(name: str) -> dict[str, tuple[str, int]]:
    """The version and the number of hashes of each package; a line that is neither fails the test."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    entries = list(_ENTRY.finditer(text))
    assert "".join(entry[0] for entry in entries) == text
    return {canonicalize_name(entry[1]): (entry[2], entry[4].count("sha256")) for entry in entries}


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().split()
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_has_the_pinned_versions(name: str) -> None:
    versions = {package: version for package, (version, _) in locked(name).items() if package not in ELSEWHERE}
    assert versions.items() <= pins().items(), "run: make pins"


def test_each_lock_has_what_pyproject_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = {"core": [], "load": extras["load"], "embedded": extras["embedded"]}
    wanted["all"] = [one for key in ("aws", "cloud", "embedded", "load", "otlp", "record") for one in extras[key]]
    for name, more in wanted.items():
        asked = {canonicalize_name(Requirement(one).name) for one in [*project["dependencies"], *more]} - {"dbz-ops"}
        assert asked <= set(locked(name)), "run: make pins"


def test_what_is_compiled_comes_for_several_systems_and_versions_of_python() -> None:
    for package in ("orjson", "psutil", "pyyaml", "httptools", "pydantic-core"):
        assert locked("core")[package][1] > 20, package
    assert locked("load")["gevent"][1] > 20


def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", ROOT / "requirements" / "audit.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_audit_tells_found_from_not_asked() -> None:
    verdict = audit().verdict
    clean = {"name": "a", "version": "1", "vulns": []}
    found = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]}
    skipped = {"name": "c", "skip_reason": "not found"}
    assert verdict({"dependencies": [clean]}) == (0, ["1 packages, no vulnerability is known"])
    assert verdict({"dependencies": [clean, found, skipped]}) == (1, ["b 2: PYSEC-1, mended in 2.1"])
    assert verdict({"dependencies": [clean, skipped]})[0] == 3
    assert verdict({"dependencies": []})[0] == 3
