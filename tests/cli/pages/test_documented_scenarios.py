"""The examples of docs/scenarios.md: each is a whole scenario in which nothing fails."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from pathlib import Path

import pytest

from dbz.errors import ExitCode
from tests.cli.running import dbz, small_server
from tests.load.socketio_servers import serving
from tests.load.websocket_servers import websocket_server

PAGE = (Path(__file__).parents[3] / "docs" / "scenarios.md").read_text()
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


@pytest.mark.parametrize("title", ["Sockets and deliveries", "Raw WebSockets"])
def test_the_examples_of_sockets_deliver_to_everybody(tmp_path: Path, title: str) -> None:
    (tmp_path / "scenario.py").write_text(EXAMPLES[title])
    options = ["--users", "4", "--duration", "3s", "--warmup", "1s", "--no-live", "--json", "--budgets", "none"]
    log = tmp_path / "server.log"
    with ExitStack() as stack:
        raw = title == "Raw WebSockets"
        url = stack.enter_context(websocket_server("python", log) if raw else serving("python", log))
        done = dbz("load", "scenario.py", "--target", url if raw else url[0], "--workers", "2", *options, cwd=tmp_path)
    assert done.returncode == ExitCode.OK, done.stderr
    run = json.loads(done.stdout)
    (messages,) = run["deliveries"]
    assert messages["delivered"] == messages["expected"] > messages["sent"] > 0 == messages["lost"]
    assert {one["kind"] for one in run["operations"]} >= {"ack", "delivery"}
