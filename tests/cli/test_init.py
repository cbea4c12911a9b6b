"""`dbz init`: from a service of one's own to a judged run, and nothing half-written on the way."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dbz.bring.project.limits import limit_ms
from dbz.bring.project.texts import CiWishes, LoadSize, OwnPaths, ci_text, profile_text
from dbz.cli.main import run
from dbz.config.load.profile import load_profile
from dbz.errors import ExitCode
from tests.children.processes import ended
from tests.cli.pages.test_ci_recipes import accepted
from tests.cli.running import DBZ, small_server, start_dbz


def files_in(folder: Path) -> list[str]:
    """All files below a folder but those of runs, and what Python compiled."""
    every = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in every if not {"reports", "__pycache__"} & set(path.parts))


def test_gitlabs_file_is_yaml_with_commands_that_are_ours() -> None:
    pipeline = yaml.safe_load(ci_text("gitlab", CiWishes("load/profile.yaml", "http://127.0.0.1:1", "a 'b'", ["KEY"])))
    assert {"budgets", "compare"} == set(pipeline)
    loads = [line for job in pipeline.values() for line in job["script"] if line.startswith("dbz ")]
    assert len(loads) == 3
    for line in loads:
        accepted(shlex.split(line)[1:])


@given(
    st.sampled_from(["http://[::1]:80/a b", "http://u:p@h:1", "http://on"]),
    st.sampled_from(["../a b.py", "no.py", "-x.py", "é'\".py", "#1.py", "a: b.py"]),
    st.floats(5, 300),
)
def test_a_profile_reads_as_it_was_meant(
    tmp_path_factory: pytest.TempPathFactory, target: str, scenario: str, length_s: float
) -> None:
    path = tmp_path_factory.mktemp("project") / "profile.yaml"
    size = LoadSize(users=3, duration_s=float(round(length_s)), rate_per_s=50.0)
    path.write_text(
        profile_text(target, scenario, size, ["a.example", "10.0.0.1"], OwnPaths("/api/status", "/q/metrics"))
    )
    profile = load_profile(str(path))
    assert profile.health == "/api/status" and profile.metrics.url == ["/q/metrics"]
    assert (profile.target, profile.duration, profile.rate) == (target, size.duration_s, 50)
    assert profile.scenario == str((path.parent / scenario).resolve()) and profile.allowed_targets[1] == "10.0.0.1"


@given(st.floats(0.01, 1e5))
def test_a_proposed_limit_is_round_and_leaves_room(measured_ms: float) -> None:
    limit = limit_ms(measured_ms)
    assert max(3 * measured_ms, measured_ms + 50) * 0.999 <= limit <= 2 * max(3 * measured_ms, measured_ms + 50)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], ExitCode.USAGE, "nobody to ask"),
        (["--from", "broken.json", "--target", "{url}"], ExitCode.USAGE, "cut off"),
        (["--from", "nothing.har"], ExitCode.USAGE, "does not exist"),
        (["--from", "api.json"], ExitCode.USAGE, "names no server"),
        (["--from", "api.json", "--target", "{url}"], ExitCode.USAGE, "nothing of api.json works"),
        (["--from", "secret.json", "--target", "{url}"], ExitCode.USAGE, "TOKEN is not set"),
        (["--from", "{url}/missing"], ExitCode.USAGE, "answers HTTP 404"),
        (["--from", "http://127.0.0.1:9"], ExitCode.UNREACHABLE, "cannot reach"),
        (["--from", "http://192.0.2.7/"], ExitCode.USAGE, "not on this machine"),
        (["taken", "--from", "{url}/hello"], ExitCode.USAGE, "not written over"),
        (["api.json", "--from", "{url}/hello"], ExitCode.USAGE, "is no folder"),
    ],
)
def test_what_cannot_become_a_project_is_said_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    arguments: list[str], code: ExitCode, said: str,
) -> None:  # fmt: skip
    paths = '{"openapi": "3.1.0", "paths": {"/missing/x": {"get": {}}}}'
    (tmp_path / "api.json").write_text(paths)
    keyed = '"security": [{"k": []}], "components": {"securitySchemes": {"k": {"type": "http"}}}}'
    (tmp_path / "secret.json").write_text(f"{paths[:-1]}, {keyed}")
    (tmp_path / "broken.json").write_text(paths[:-5])
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "budgets.yaml").write_text("mine")
    before = files_in(tmp_path)
    monkeypatch.chdir(tmp_path)
    with small_server() as url:
        assert run(["init", *(argument.format(url=url) for argument in arguments)]) == code
    assert said in capsys.readouterr().err
    assert files_in(tmp_path) == before and (tmp_path / "taken" / "budgets.yaml").read_text() == "mine"


def test_at_a_terminal_what_is_missing_is_asked_for(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    with ended(
        subprocess.Popen([*DBZ, "init"], cwd=tmp_path, stdin=theirs, stderr=subprocess.PIPE, text=True)
    ) as process:
        os.write(ours, b"nothing.har\nnode server.js\n")
        _, asked = process.communicate(timeout=30)
    os.close(ours)
    os.close(theirs)
    assert "What is to be loaded?" in asked and "starts it in CI?" in asked and "nothing.har does not exist" in asked
    assert process.returncode == ExitCode.USAGE and files_in(tmp_path) == []


def test_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    with small_server() as url, start_dbz(
        ["init", "new", "--from", f"{url}/hello"], cwd=tmp_path, stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        assert "One user" in process.stderr.readline()
        process.terminate()
        _, said = process.communicate(timeout=30)
    assert process.returncode == ExitCode.INTERRUPTED and "before anything was written" in said, said
    assert list(tmp_path.iterdir()) == []
