"""Completion: candidates from the tree of commands and from files, in real shells, without heavy libraries."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dbz.cli.completion.scripts import INSTALLING, SCRIPTS
from dbz.cli.completion.values import SOURCES
from dbz.cli.main import run
from dbz.config.bundled import bundled_folder
from tests.cli.commands import declared_parameters
from tests.cli.running import DBZ, dbz

HEAVY = (
    "gevent",
    "locust",
    "pandas",
    "numpy",
    "boto3",
    "pymongo",
    "redis",
    "pydantic",
    "yaml",
    "rich",
    "asyncio",
    "httpx",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with two runs, a change in the journal, and files of one's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DBZ_STATE_DIR", str(tmp_path / "state"))
    for name in ("20260101T000000Z-old", "20260202T000000Z-new", "no-run"):
        (tmp_path / "reports" / name).mkdir(parents=True)
        if name != "no-run":
            (tmp_path / "reports" / name / "run.json").write_text("{}")
    (tmp_path / "state" / "scale").mkdir(parents=True)
    (tmp_path / "state" / "scale" / "20260303T101010Z.jsonl").write_text("")
    (tmp_path / "own.yaml").write_text('phases:\n  - name: opening\n  - name: "final"\n    users: 1\n')
    (tmp_path / "shards.yaml").write_text("shards:  # two\n  # the first\n  east: A\n\n  west: B\ncontrol: C\n")
    return tmp_path


def offered(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[list[str], bool]:
    """The candidates for the last word, and whether files may stand there too."""
    assert run(["__complete", *words]) == 0
    first, *rows = capsys.readouterr().out.splitlines()
    return [row.partition("\t")[0] for row in rows], first == "files"


@pytest.mark.parametrize(
    ("words", "some", "files"),
    [
        (["sc"], ["schema", "scale"], False),
        (["scale", "ro"], ["rollback"], False),
        (["scale", "rollback", ""], ["20260303T101010Z"], False),
        (["scale", "apply", "--resume", "2026"], ["20260303T101010Z"], False),
        (["scale", "apply", "--phases", "own.yaml", ""], ["opening", "final"], False),
        (["scale", "apply", "--phases=own.yaml", "o"], ["opening"], False),
        (["load", "--phases", "own.yaml", "--phase=f"], ["--phase=final"], False),
        (["load", "--phases", "=", "own.yaml", "--phase", "=", "f"], ["final"], False),
        (["load", "sm"], ["smoke"], True),
        (["load", "--baseline", ""], ["latest", "20260202T000000Z-new", "20260101T000000Z-old"], True),
        (["report", "show", "--reports", "reports", "20260101"], ["20260101T000000Z-old"], True),
        (["report", "compare", "latest", "other", "2026"], ["20260202T000000Z-new", "20260101T000000Z-old"], True),
        (["shard", "plan", "--config", "shards.yaml", "--add", ""], ["east", "west"], False),
        (["shard", "plan", "--config", "nowhere.yaml", "--add", ""], [], True),
        (["scale", "simulate", "--shape", "s"], ["spike"], False),
        (["monitor", "silence", "add", "--severity", "c"], ["critical"], False),
        (["explain", "dbz-l00"], [f"DBZ-L00{number}" for number in range(1, 10)], False),
        (["completion", "z"], ["zsh"], False),
        (["scale", "apply", "--out-of"], [], False),
        (["load", "--users", ""], [], False),
        (["import", "one.har", ""], [], True),
        (["load", "--out", ""], [], True),
        (["load", "--", "--sm"], [], True),
        (["scale", "status", "--jso"], ["--json"], False),
        (["no-such-command", "a"], [], False),
        ([], None, False),
    ],
)
def test_what_is_offered(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], some: list[str] | None, files: bool
) -> None:
    found, with_files = offered(capsys, *words)
    assert with_files is files
    assert found == some or (some is None and {"load", "doctor", "help"} <= set(found))


def test_the_glance_into_bundled_files_sees_what_their_readers_see(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    phases = yaml.safe_load((bundled_folder("configs") / "phases.yaml").read_text())["phases"]
    assert offered(capsys, "scale", "plan", "")[0] == [phase["name"] for phase in phases]
    shards = yaml.safe_load((bundled_folder("configs") / "shards.yaml").read_text())["shards"]
    assert offered(capsys, "shard", "plan", "--drain", "")[0] == list(shards)


def test_each_source_is_of_a_parameter_that_exists() -> None:
    assert set(SOURCES) - {parameter.name for parameter in declared_parameters()} == set()


def test_completion_loads_no_heavy_library(folder: Path) -> None:
    program = (
        "import sys; from dbz.cli.main import run\n"
        "for words in (['load', 's'], ['scale', 'plan', ''], ['report', 'show', ''], ['shard', 'plan', '--add', '']):\n"
        "    run(['__complete', *words])\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]" and done.stderr == ""


BASH = """
source <(dbz completion bash)
COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _dbz; printf '%%s\\n' "${COMPREPLY[@]}"
"""
ZSH = """
compdef() { :; }
_describe() { print -l -- ${(P)2}; }
_files() { print FILES; }
source <(dbz completion zsh)
words=(%s); CURRENT=$#words; _dbz
"""
FISH = "dbz completion fish | source; complete -C '%s'"


@pytest.fixture
def path_with_dbz(tmp_path: Path) -> dict[str, str]:
    program = tmp_path / "bin" / "dbz"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexec " + " ".join(DBZ) + ' "$@"\n')
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}


def completed_by(shell: str, line: str, folder: Path, env: dict[str, str]) -> list[str]:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    quoted = " ".join(word or "''" for word in line.split(" "))
    script = {"bash": BASH % quoted, "zsh": ZSH % quoted, "fish": FISH % line}[shell]
    command = [shell, *(["-f"] if shell == "zsh" else []), "-c", script]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize("shell", sorted(SCRIPTS))
def test_real_shells_complete(shell: str, folder: Path, path_with_dbz: dict[str, str]) -> None:
    (found,) = completed_by(shell, "dbz scale roll", folder, path_with_dbz)
    assert found.startswith("rollback") and (shell == "bash" or "Put back exactly what was there" in found)
    assert completed_by(shell, "dbz load smo", folder, path_with_dbz)[0] == "smoke"
    files = completed_by(shell, "dbz import own", folder, path_with_dbz)
    assert files == {"zsh": ["FILES"]}.get(shell, ["own.yaml"])


@pytest.mark.parametrize("shell", sorted(SCRIPTS))
def test_the_commands_that_install_it_work_in_an_empty_home(shell: str, path_with_dbz: dict[str, str]) -> None:
    told = subprocess.run(["dbz", "completion", "--help"], env=path_with_dbz, capture_output=True, text=True).stdout
    for command in INSTALLING[shell]:
        assert command in told
        subprocess.run(["sh", "-c", command], env=path_with_dbz, check=True, timeout=60)
    (installed,) = (path for path in Path(path_with_dbz["HOME"]).rglob(".*/**/*dbz*") if path.is_file())
    assert installed.read_text() == SCRIPTS[shell]


def test_unknown_shells_are_refused(tmp_path: Path) -> None:
    done = dbz("completion", "fisch", cwd=tmp_path)
    assert done.returncode == 2 and "did you mean 'fish'?" in done.stderr
