"""The tutorial, the how-to pages and AGENTS.md: their commands are carried out, with the files that they show.

The page on moving a club is carried out in `test_shard.py`, that on sizing a phase in `test_documented_loop.py`.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from dbz.config.budgets import load_budgets
from dbz.errors import ExitCode
from tests.cli.documented import DOCS, ShownCommand, shown_commands, shown_files
from tests.cli.pages.test_ci_recipes import accepted
from tests.cli.running import run_dbz
from tests.cli.serving import Served

PAGES = ["tutorial.md", *sorted(f"howto/{path.name}" for path in (DOCS / "howto").glob("*.md"))]
_BASE = "http://127.0.0.1:8480"
_SLOW_MACHINE = (ExitCode.BROKEN, ExitCode.INVALID)
"""What may become of a load whose limits are for a machine that does nothing else; never green when it is to be red."""


def carry_out(command: ShownCommand, folder: Path, served: Served) -> subprocess.CompletedProcess[str]:
    """Run a command of a page against the running backend."""
    arguments = [word.replace(_BASE, served.url) for word in command.arguments]
    return run_dbz(arguments, folder, served.env, timeout_s=150)


@pytest.mark.parametrize("page", [page for page in PAGES if page != "howto/watch.md"])  # carried out as a whole
def test_every_command_of_a_page_is_one_of_ours(page: str) -> None:
    assert shown_commands(page)
    for command in shown_commands(page):
        accepted(command.arguments)


@pytest.mark.timeout(380)
@pytest.mark.parametrize(
    ("page", "groups"),
    [
        ("tutorial.md", ("try", "load evening.yaml --budgets", "report show")),
        ("howto/realtime.md", ("load room.py",)),
        ("howto/warm.md", ("cache warm --rate", "cache check")),
        ("howto/watch.md", ("monitor",)),
        ("../AGENTS.md", ("try",)),
    ],
)
def test_the_commands_of_a_page_do_what_it_says(
    page: str, groups: tuple[str, ...], served: Served, tmp_path: Path
) -> None:
    for name, text in shown_files(page).items():
        (tmp_path / name).write_text(re.sub(r"(?m)^duration: \S+", "duration: 2s", text.replace(_BASE, served.url)))
    carried_out = 0
    for command in shown_commands(page):
        if not command.line.removeprefix("dbz ").startswith(groups):
            continue
        done = carry_out(command, tmp_path, served)
        is_load = command.arguments[0] == "load"
        allowed = (command.code, *_SLOW_MACHINE) if is_load else (command.code,)
        assert done.returncode in allowed, f"{command}\n{done.stdout}{done.stderr}"
        assert not is_load or "not measured" not in done.stdout.lower(), done.stdout
        carried_out += 1
    assert carried_out >= len(groups)


@pytest.mark.parametrize(("page", "name"), [("howto/gate.md", "health.yaml"), ("tutorial.md", "limits.yaml")])
def test_the_limits_of_a_page_are_read(page: str, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(shown_files(page)[name])
    first, *others = load_budgets(str(tmp_path / name))
    assert first.required and others
