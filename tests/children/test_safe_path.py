"""No program that dbz starts executes modules that lie in the folder in which the user happens to stand."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

import dbz
from dbz.children import Child, python_module
from tests.whole import some

PACKAGE = Path(dbz.__file__).parent
PLANTED = "open({mark!r}, 'a').write(__name__ + '\\n')\nraise ImportError(__name__)\n"


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A folder with a module of every name that Python or an installed package has."""
    folder = tmp_path / "trap"
    folder.mkdir()
    installed = {name for name in importlib.metadata.packages_distributions() if name.isidentifier()}
    for name in {*sys.stdlib_module_names, *installed, "sitecustomize", "usercustomize"} - {"dbz"}:
        (folder / f"{name}.py").write_text(PLANTED.format(mark=str(tmp_path / "PWNED")))
    return folder


def executed(folder: Path) -> str:
    mark = folder.parent / "PWNED"
    return mark.read_text() if mark.exists() else ""


@pytest.mark.parametrize("workers", some(["2", "1"], 1))
def test_a_load_with_its_stack_executes_nothing_of_the_folder(trap: Path, workers: str) -> None:
    how = ["--duration", "1s", "--warmup", "1s", "--workers", workers, "--no-live", "--out", str(trap.parent / "out")]
    command = python_module("dbz.cli.main", "load", "smoke", *how)
    done = subprocess.run(command, cwd=trap, capture_output=True, text=True, timeout=120)
    assert executed(trap) == ""
    assert "Verdict" in done.stdout + done.stderr, done.stderr


@pytest.mark.parametrize("variable", ["", ":", f"{os.sep}nowhere::"])
def test_a_module_is_run_and_what_it_starts_in_its_turn_is_safe_too(
    trap: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Also when PYTHONPATH names the folder in which one stands by an empty entry."""
    monkeypatch.chdir(trap)
    monkeypatch.setenv("PYTHONPATH", variable)
    log = trap.parent / "child.log"
    for argv in (python_module("json.tool", "--help"), [sys.executable, "-c", "import queue, random; print(queue)"]):
        with Child("program", argv, log=log) as child:
            assert child.wait(30) == 0, log.read_text()
    assert executed(trap) == ""


def test_every_program_is_started_in_the_one_safe_way() -> None:
    """`sys.executable` stands nowhere but where the safe options stand beside it."""
    uses = [
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "executable"
    ]
    assert set(uses) == {"children/child.py"}
