"""The recipes of docs/ci.md: files that are YAML, and commands that the command line takes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from dbz.cli.main import app

CI = Path(__file__).parents[3] / "docs" / "ci"


def commands(text: str) -> Iterator[list[str]]:
    """The arguments of each `dbz …` line."""
    for line in text.splitlines():
        match = re.search(r"(?:^|[-\s])dbz ((?:load|budget|report) .*)", line)
        if match:
            yield shlex.split(match[1])


def accepted(arguments: list[str]) -> None:
    """Let the command line parse the arguments without carrying them out."""
    command: Any = typer.main.get_command(app)
    name = "dbz"
    while hasattr(command, "commands"):
        name, *arguments = arguments
        command = command.commands[name]
    command.make_context(name, arguments)


@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml"])
def test_every_command_of_a_recipe_is_one_of_ours(name: str) -> None:
    found = list(commands((CI / name).read_text()))
    assert len(found) >= 2
    for arguments in found:
        accepted(arguments)


def test_a_wrong_option_would_be_noticed() -> None:
    with pytest.raises(Exception, match="--basline"):
        accepted(["load", "x", "--basline", "y"])


def test_the_workflow_has_the_shape_that_github_wants() -> None:
    workflow = yaml.safe_load((CI / "github-actions.yml").read_text())
    assert {"name", "jobs"} <= set(workflow) and True in workflow  # YAML reads the key `on` as true
    for job in workflow["jobs"].values():
        assert "runs-on" in job
        assert all(("uses" in step) != ("run" in step) for step in job["steps"])


def test_the_pipeline_has_the_shape_that_gitlab_wants() -> None:
    pipeline = yaml.safe_load((CI / "gitlab-ci.yml").read_text())
    jobs = {name: job for name, job in pipeline.items() if isinstance(job, dict)}
    assert len(jobs) == 2
    for job in jobs.values():
        assert job["stage"] in pipeline["stages"] and all(isinstance(line, str) for line in job["script"])
        assert job["artifacts"]["reports"]["junit"].endswith("junit.xml")
