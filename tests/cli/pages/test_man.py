"""The short help of every command has examples that are true, and makes a man page that troff understands."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer.main

from dbz.cli.help.man import all_pages
from dbz.cli.help.topics import TOPICS
from dbz.cli.main import app
from tests.cli.commands import every_command, is_known_command
from tests.cli.running import dbz

MOST_LINES_BEFORE_EXAMPLES = 22
OF_ALL_COMMANDS = ("--help", "--quiet", "--verbose", "--log")
"""On the page of `dbz` itself."""
EXAMPLES = {command.words: command.examples for command in every_command()}


def command_of(line: str) -> str:
    """The command of dbz in an example, without what is said of it and without what another program does with it."""
    text = re.split(r"\s{2,}(?=\S)| #", line.strip())[0]
    text = re.split(r" (?:\||>|&&) |\)$|\) ", text)[0].removeprefix("source <(")
    return re.sub(r"^([A-Z_]+=\S+ )+", "", text)


@pytest.mark.parametrize("words", EXAMPLES, ids=" ".join)
def test_every_command_has_examples_of_itself(words: tuple[str, ...]) -> None:
    commands = [command_of(line) for line in EXAMPLES[words] if "dbz" in line]
    assert any(command.startswith(" ".join(("dbz", *words))) for command in commands), EXAMPLES[words]
    assert [one for one in commands if not (is_known_command(one) and shlex.split(one))] == []


def test_help_is_short_before_its_examples() -> None:
    long = {
        command.words: command.lines_before_examples
        for command in every_command()
        if command.lines_before_examples > MOST_LINES_BEFORE_EXAMPLES
    }
    assert long == {}


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return dict(all_pages(typer.main.get_command(app), list(TOPICS.values())))


def test_there_is_a_page_of_every_command_with_all_its_options(pages: dict[str, str]) -> None:
    for command in every_command():
        page = pages[f"{'-'.join(('dbz', *command.words))}.1"]
        assert page.startswith(".TH ") and ".SH EXAMPLES\n.nf\n" in page
        for name, _ in command.options:
            assert name in OF_ALL_COMMANDS or name.replace("-", "\\-") in page, (command.words, name)
    assert all(f".SH {name.replace('-', ' ').upper()}" in pages["dbz.1"] for name in TOPICS)


def test_examples_stay_as_they_are_written(pages: dict[str, str]) -> None:
    shown = pages["dbz-shard-plan.1"].split(".SH EXAMPLES\n.nf\n")[1].split("\n.fi")[0]
    assert [line.replace("\\-", "-") for line in shown.splitlines()] == [
        line.strip() for line in EXAMPLES["shard", "plan"]
    ]


def test_troff_has_nothing_to_say_against_the_pages(pages: dict[str, str], tmp_path: Path) -> None:
    if shutil.which("groff") is None:
        pytest.skip("there is no groff")
    for name, text in pages.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", *pages], cwd=tmp_path, capture_output=True, text=True, timeout=100
    )
    assert (done.returncode, done.stderr) == (0, "")
    shown = re.sub(r".\x08|\x1b\[[\d;]*m", "", done.stdout)
    assert "dbz load http://127.0.0.1:8480/api/posts --rate 200/s --duration 30s" in shown
    assert "mongo-uri" in shown and "…" in shown


def test_pages_are_printed_and_written(tmp_path: Path, pages: dict[str, str]) -> None:
    assert dbz("help", "--man", "scale", "apply", cwd=tmp_path).stdout == pages["dbz-scale-apply.1"]
    said = dbz("help", "--man-dir", "man", cwd=tmp_path).stdout
    assert said == f"{len(pages)} man pages in man/man1\n"
    assert {path.name: path.read_text() for path in (tmp_path / "man" / "man1").iterdir()} == pages
    refused = dbz("help", "--man", "scale", "aply", cwd=tmp_path)
    assert refused.returncode == 2 and "did you mean 'apply'?" in refused.stderr
    (tmp_path / "file").write_text("")
    assert dbz("help", "--man-dir", "file/man", cwd=tmp_path).returncode == 2
