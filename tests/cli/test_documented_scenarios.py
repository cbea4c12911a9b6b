"""The examples of docs/scenarios.md: each is a whole scenario in which nothing fails."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dbz.errors import ExitCode
from tests.cli.running import dbz, small_server
from tests.load.socketio_servers import serving

PAGE = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text()
EXAMPLES = {
    title: example
    for section in PAGE.split("\n## ")[1:]
    for title in [section.splitlines()[0]]
    for example in re.findall(r"```python\n(.*?)```", section, re.DOTALL)
}


def test_the_page_has_an_example_for_each_section_but_the_last() -> None:
    assert len(EXAMPLES) == PAGE.count("\n## ") - 1 > 5


@pytest.mark.parametrize("title", [title for title in EXAMPLES if "ocket" not in title])
def test_an_example_runs(tmp_path: Path, title: str) -> None:
    (tmp_path / "scenario.py").write_text(EXAMPLES[title])
    with small_server() as url:
        done = dbz("try", "scenario.py", "--target", url, cwd=tmp_path)
    assert done.returncode == ExitCode.OK, done.stdout + done.stderr
    assert "nothing failed" in done.stdout and "0 requests" not in done.stdout


def test_the_example_of_sockets_delivers_to_everybody(tmp_path: Path) -> None:
    (tmp_path / "scenario.py").write_text(EXAMPLES["Sockets and deliveries"])
    options = ["--users", "4", "--duration", "3s", "--warmup", "1s", "--no-live", "--json", "--budgets", "none"]
    with serving("python", tmp_path / "server.log") as (url, _):
        done = dbz("load", "scenario.py", "--target", url, *options, cwd=tmp_path)
    assert done.returncode == ExitCode.OK, done.stderr
    assert '"expected"' in done.stdout or '"delivered"' in done.stdout
