"""The names that a stranger types: of the distribution, and of what the package offers."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINNED = {line.partition("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines()}
_INSTALL = re.compile(r"""pip\d? install\s+(?:-\S+\s+)*(?P<what>"[^"]*"|'[^']*'|[^\s"'`]+)""")
_OURS = re.compile(r"\.|dbz-ops( @ git\+\$DBZ_REPOSITORY)?|\$\(ls dist/dbz_ops-\*\.whl\)")


def tracked(*patterns: str) -> list[Path]:
    """The files of the project that match, as far as they are there."""
    listed = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def of_others(text: str) -> list[str]:
    """What a text tells people to install with pip and is neither ours nor pinned by us; extras are left out."""
    named = (re.sub(r"\[[\w,$]+\]", "", match["what"].strip("\"'")) for match in _INSTALL.finditer(text))
    return [name for name in named if not _OURS.fullmatch(name) and name not in PINNED]


def test_nobody_is_told_to_install_the_package_of_somebody_else() -> None:
    found = {path: of_others(path.read_text()) for path in tracked("*.md", "*.yml", "*.yaml", "dbz/*.py")}
    assert not {path: names for path, names in found.items() if names}


@pytest.mark.parametrize("text", ["pip install dbz", "pip install 'dbz[embedded]'", "$ pip3 install --upgrade dbz==1"])
def test_the_names_of_others_would_be_noticed(text: str) -> None:
    assert of_others(text)


def test_the_distribution_has_the_name_that_documents_tell() -> None:
    assert PROJECT["name"] == "dbz-ops" and PROJECT["scripts"]["dbz"] == "dbz.cli.main:main"


def test_extras_that_documents_tell_exist() -> None:
    offered = set(PROJECT["optional-dependencies"])
    for path in tracked("*.md", "*.yml", "dbz/*.py"):
        for extras in re.findall(r"dbz-ops\[([\w,]+)\]", path.read_text()):
            assert set(extras.split(",")) <= offered, path


def test_a_public_class_has_a_name_of_its_own() -> None:
    modules: defaultdict[str, list[str]] = defaultdict(list)
    for path in tracked("dbz/*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                modules[node.name].append(str(path.relative_to(ROOT)))
    assert not {name: where for name, where in modules.items() if len(where) > 1}
