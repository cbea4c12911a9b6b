"""The commands of docs/start.md and docs/import.md are ones that the command line takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.test_ci_recipes import accepted

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", ["start.md", "import.md"])
def test_every_command_of_a_page_is_one_of_ours(page: str) -> None:
    shown = re.findall(r"(?m)^\$ dbz (.*)$", (DOCS / page).read_text())
    assert shown
    for line in shown:
        accepted(shlex.split(line))
