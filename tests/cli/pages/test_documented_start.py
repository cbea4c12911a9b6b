"""The commands of docs/start.md are carried out one after the other; those of docs/import.md are ones of ours."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml

from dbz.errors import ExitCode
from tests.bring.apps import fail_a_share, node_app
from tests.bring.recorders import recording
from tests.children.processes import ended
from tests.cli.pages.test_ci_recipes import accepted, commands
from tests.cli.running import dbz, newest_run, start_dbz
from tests.cli.test_init import files_in

DOCS = Path(__file__).parents[3] / "docs"


def shown(page: str) -> list[list[str]]:
    """The commands of a page, in its order."""
    return [shlex.split(line) for line in re.findall(r"(?m)^\$ dbz (.*)$", (DOCS / page).read_text())]


def test_every_command_of_the_page_on_imports_is_one_of_ours() -> None:
    assert shown("import.md")
    for command in shown("import.md"):
        accepted(command)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with node_app(tmp_path_factory.mktemp("app") / "log") as url:
        yield url


def test_who_follows_the_page_has_a_project_whose_ci_turns_red_with_errors(app: str, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    listed = [[re.sub(r"http://127\.0\.0\.1:\d+", app, word) for word in command] for command in shown("start.md")]
    assert [command[0] for command in listed] == ["init", "record", "init", "try", "load", "load", "load"]
    first, record, second, look, *loads = listed
    check_project(dbz(*first, cwd=tmp_path), tmp_path)

    _, target, *options = record[1:]
    with recording(target, tmp_path, *options) as recorder:
        use(recorder.urls[0])
    assert recorder.code == ExitCode.OK, recorder.output
    with ended(
        start_dbz(
            second,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )
    ) as chat:
        looked = dbz(*look, cwd=tmp_path)
        assert looked.returncode == ExitCode.OK and "GET /rooms/{id}" in looked.stdout, looked.stdout
        shorten(tmp_path / "load" / "profile.yaml")
        for load in loads:  # their limits are for a machine that does nothing else
            done = dbz(*load, cwd=tmp_path)
            assert done.returncode in (ExitCode.OK, ExitCode.BROKEN, ExitCode.INVALID), done.stdout + done.stderr
        said, _ = chat.communicate(timeout=60)
    assert "written: chat/profile.yaml" in said and ".github/workflows/load-chat.yml" in said, said

    fail_a_share(app, 0.01)
    (budgets, *_) = commands((tmp_path / ".github/workflows/load.yml").read_text())
    red = dbz(*budgets, "--rate", "200/s", "--duration", "5s", "--json", cwd=tmp_path)
    fail_a_share(app, 0)
    assert red.returncode == ExitCode.BROKEN and '"error_rate"' in red.stdout


def check_project(done: subprocess.CompletedProcess[str], folder: Path) -> None:
    """Assert that the first command wrote a project whose limits are of what it measured, and commands for CI."""
    assert done.returncode == ExitCode.OK, done.stdout + done.stderr
    assert files_in(folder) == [
        ".github/workflows/load.yml", "load/.gitignore", "load/budgets.yaml", "load/profile.yaml", "load/scenario.py",
        "load/schemas/budgets.schema.json", "load/schemas/profile.schema.json",
    ]  # fmt: skip
    assert "PASS" in done.stdout and "left out" in done.stdout and "GET /gone/{id}: HTTP 404" in done.stdout
    first = newest_run(folder / "load")
    assert {one["name"] for one in first["operations"]} == {"GET /rooms", "GET /rooms/{id}", "POST /notes"}
    limits = yaml.safe_load((folder / "load" / "budgets.yaml").read_text())["budgets"]
    assert {"error_rate", "GET /rooms", "POST /notes"} <= {one["name"] for one in limits}
    workflow = (folder / ".github/workflows/load.yml").read_text()
    assert {"budgets", "compare"} <= set(yaml.safe_load(workflow)["jobs"])
    written = list(commands(workflow))
    assert len(written) == 3 and written[0] == ["load", "load/profile.yaml"]
    for command in written:
        accepted(command)


def use(url: str) -> None:
    """Do with the app what its page does: log in, and read."""
    token = requests.post(f"{url}/login", json={"name": "eve", "password": "pw-eve"}, timeout=30).json()["token"]
    room = requests.get(f"{url}/rooms", timeout=30).json()["rooms"][0]["id"]
    headers = {"authorization": f"Bearer {token}"}
    assert requests.get(f"{url}/rooms/{room}/messages", headers=headers, timeout=30).ok


def shorten(profile: Path) -> None:
    """Let runs of a profile last two seconds, as its file says how long they last."""
    text = re.sub(r"(?m)^duration: \S+", "duration: 2s", profile.read_text())
    profile.write_text(re.sub(r"(?m)^warmup: \S+", "warmup: 1s", text))
