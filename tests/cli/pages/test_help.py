"""`dbz help`: topics from the sources of the docs, and what they say of the environment holds for the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from dbz.cli.help.environment import variable_names
from dbz.cli.help.topics import READ_FILES, TOPICS
from dbz.cli.schema import schema_texts
from dbz.config.folders import state_dir
from dbz.errors import ExitCode
from tests.cli.commands import every_command, is_known_command
from tests.cli.running import dbz

ROOT = Path(__file__).parents[3]
NAME = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
BETWEEN_OUR_PROCESSES = {"DBZ_LOAD_SPEC", "DBZ_LOAD_INSPECTION", "MESH_SECRET", "MOTO_PORT"}
READ_BY_LIBRARIES = {
    "NO_COLOR", "TMPDIR", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "LOCUST_*",
    "http_proxy", "https_proxy", "all_proxy", "no_proxy",
}  # fmt: skip
"""rich, tempfile, botocore, Locust, and urllib, whose names are not in our code."""


def names_in_code() -> set[str]:
    """What looks like a variable in all modules that have to do with the environment."""
    found = set()
    for path in (ROOT / "dbz").rglob("*.py"):
        text = path.read_text()
        if not re.search(r"\benviron(ment)?\b|\benv\b|variable", text) or "help" in path.parts or "codes" in path.parts:
            continue
        constants = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)]
        found |= {one.value for one in constants if isinstance(one.value, str) and NAME.fullmatch(one.value)}
    return found


NO_VARIABLES = {
    "NO_ERROR", "DATETIME_AUTO", "IN_PROGRESS", "CODE_DEPLOY", "CERTIFICATE_VERIFY_FAILED", "CLOCK_BOOTTIME",
    "IOS_EXPERIMENTAL", "TIMEOUT_S", "CONNECT_TIMEOUT_S", "PATH_INFO", "CONTENT_LENGTH", "HTTP_X_AMZ_TARGET",
    "BASIC_CREDENTIALS",
}  # fmt: skip


def test_every_variable_of_the_environment_is_told() -> None:
    told = variable_names()
    found = names_in_code() - BETWEEN_OUR_PROCESSES - NO_VARIABLES
    assert {"REDIS_URL", "DBZ_STATE_DIR", "PUBLIC_API_KEY"} <= found
    assert {name for name in found if name not in told and f"MONGODB_ATLAS_{name}" not in told} == set()


def test_nothing_is_told_that_no_code_reads() -> None:
    read = names_in_code() | {f"MONGODB_ATLAS_{name}" for name in names_in_code()} | READ_BY_LIBRARIES
    console = (ROOT / "dbz/report/terminal/console.py").read_text()
    read |= {"COLUMNS"} if '"COLUMNS"' in console else set()
    assert variable_names() - read == set()


def test_the_kinds_of_files_are_those_that_have_schemas() -> None:
    assert [name for name, _ in READ_FILES] == list(schema_texts())
    pages = re.findall(r"docs/[\w.]+md", "".join(about for _, about in READ_FILES))
    assert len(pages) == len(READ_FILES) and all((ROOT / page).exists() for page in pages)


def test_the_state_folder_is_where_the_topic_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DBZ_STATE_DIR", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_dir() == tmp_path / "dbz"
    monkeypatch.setenv("DBZ_STATE_DIR", str(tmp_path / "own"))
    assert state_dir() == tmp_path / "own"
    told = TOPICS["files"].as_text()
    for name in (
        "monitor.db",
        "shard-plan.json",
        "shard-moves.sock",
        "stack.json",
        "stack.lock",
        "serve-logs",
        "scale/",
    ):
        assert name in told and any(name.strip("/") in path.read_text() for path in (ROOT / "dbz").rglob("*.py"))


def test_commands_in_topics_exist() -> None:
    text = " ".join(topic.as_markdown() for topic in TOPICS.values())
    named = {one for one in re.findall(r"`(dbz [^`]+)`", text) if "TOPIC" not in one and "NAME" not in one}
    assert len(named) > 8 and [one for one in named if not is_known_command(one)] == []


def test_help_of_topics_and_commands(tmp_path: Path) -> None:
    contents = dbz("help", cwd=tmp_path).stdout
    assert all(f"  {name} " in contents for name in TOPICS) and "Usage: dbz " in contents
    codes = dbz("help", "exit-codes", cwd=tmp_path).stdout
    assert all(f"  {int(code):<5}{code.meaning[:40]}" in codes for code in ExitCode)
    assert max(map(len, dbz("help", "environment", cwd=tmp_path).stdout.splitlines())) <= 100


@pytest.mark.parametrize("words", [(), ("load",), ("scale",), ("scale", "apply"), ("monitor", "silence", "add")])
def test_help_of_a_command_is_its_own(tmp_path: Path, words: tuple[str, ...]) -> None:
    own = dbz(*words, "--help", cwd=tmp_path).stdout
    asked = dbz("help", *words, cwd=tmp_path).stdout
    assert own.startswith("Usage:") and (asked == own if words else asked.startswith(own.rstrip("\n")))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["envirnment"], "'envirnment'; did you mean 'environment'?"),
        (["scale", "aply"], "'scale aply'; did you mean 'apply'?"),
        (["load", "more"], "'load more'"),
    ],
)
def test_what_there_is_no_help_about(tmp_path: Path, words: list[str], said: str) -> None:
    done = dbz("help", *words, cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE and f"there is no command or topic {said}" in done.stderr


def test_no_topic_has_the_name_of_a_command() -> None:
    assert set(TOPICS).isdisjoint(command.words[0] for command in every_command())
