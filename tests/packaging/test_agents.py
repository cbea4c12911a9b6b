"""AGENTS.md and llms.txt: what they tell a tool to read, write and run is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dbz.config.budgets import load_budgets
from dbz.config.load.profile import load_profile
from tests.cli.commands import is_known_command
from tests.cli.documented import shown_commands, shown_files
from tests.cli.pages.test_ci_recipes import accepted
from tests.packaging.test_names import ROOT, tracked

AGENTS = (ROOT / "AGENTS.md").read_text()
PAGE = "../AGENTS.md"


def test_every_file_that_is_named_is_there() -> None:
    named = set(re.findall(r"`((?:docs/[\w./-]+|[A-Z]+\.md|llms\.txt))`", AGENTS))
    assert len(named) > 8
    assert not {name for name in named if not (ROOT / name).exists()}


def test_every_command_is_one_of_ours() -> None:
    assert len(shown_commands(PAGE)) == 4
    for command in shown_commands(PAGE):
        accepted(command.arguments)
    inline = re.findall(r"`(dbz [^`]+)`", AGENTS)
    assert len(inline) > 5
    assert not [command for command in inline if not is_known_command(command)]


def test_the_profile_and_the_budgets_are_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in shown_files(PAGE).items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    profile = load_profile("profile.yaml")
    assert (profile.users, profile.duration) == (20, 30)
    assert [budget.required for budget in load_budgets("budgets.yaml")] == [True, False]


def test_llms_txt_lists_every_page_in_the_form_that_is_asked_for() -> None:
    title, summary, *_ = (ROOT / "llms.txt").read_text().split("\n\n")
    assert title == "# dbz" and summary.startswith("> ")
    sections = (ROOT / "llms.txt").read_text().split("\n## ")[1:]
    links = [line for section in sections for line in section.splitlines()[1:] if line]
    found = [re.fullmatch(r"- \[[^\]]+\]\((docs/[\w/-]+\.md)\): \S.*", line) for line in links]
    pages = {str(page.relative_to(ROOT)) for page in tracked("docs/*.md")} - {"docs/index.md"}
    assert all(found) and {match[1] for match in found if match} == pages
