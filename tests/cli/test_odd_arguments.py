"""Whatever is typed: one message and a code of its own, never a traceback, never 1 and never an error in dbz itself."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbz.cli.main import run
from dbz.errors import ExitCode
from tests.cli.commands import DeclaredCommand, every_command
from tests.whole import WHOLE

NOWHERE = {
    "MONGODB_URI": "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100",
    "REDIS_URL": "redis://127.0.0.1:1",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
    "AWS_MAX_ATTEMPTS": "1",
    "NO_COLOR": "1",
}
"""Stores, and a cloud, that nobody finds: what is odd enough to be refused is refused before they are looked for."""
ODD = st.one_of(
    st.sampled_from(
        ["", " ", "\0", "a\0b", "\ud800", "\udcff.yaml", "-1", "--", "-", "0", "9" * 400, "1e999", "nan", "inf", "-inf",
         "9" * 40 + "s", "1" * 5000 + "h", "1e309%", "🏸", "\u202e", "\x1b[31m", "a" * 100_000, "../..", "/dev/null",
         "/proc/self/mem", "/", "http://", "http://[::1", "http://127.0.0.1:99999", "redis://127.0.0.1:1/stage", "{}",
         "[" * 3000, '{"$oid": "x"}', '{"a": {"$numberLong": "99999999999999999999"}}', "{{ X }}", "${HOME}", "%s",
         "٣", "²", "1_000", "0x10", "١s", "latest", "=", "a=b=c", "25:61-99:00", "127.0.0.1:0", "127.0.0.1:٣"]
    ),
    st.text(max_size=40),
    st.integers(-(10**30), 10**30).map(str),
    st.floats().map(str),
)  # fmt: skip
STOPPED = {
    ("serve",): ["--port", "-1"],
    ("load",): ["--workers", "0", "--master-port", "0"],
    ("capacity",): ["--start", "0"],
}
"""What keeps a command that would start something from doing so when all else is right."""


@pytest.mark.parametrize(
    ("typed", "says"),
    [("--users=abc", "'abc'"), ("--users=", "''"), ("--repeat=1000", "'1000'"), (f"--speed={'x' * 999}", "x…'")],
)
def test_the_value_of_an_option_that_cannot_be_is_shown(typed: str, says: str) -> None:
    with redirect_stderr(io.StringIO()) as told:
        assert run(["load", "smoke", typed]) == ExitCode.USAGE
    assert f"{says} [DBZ-E001]" in told.getvalue() and ", not '" in told.getvalue()
    assert len(told.getvalue()) < 300


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(tmp_path)
    (tmp_path / "file.json").write_text("{}")
    with patch.dict(os.environ, {**NOWHERE, "DBZ_STATE_DIR": str(tmp_path / "state")}):
        yield
    os.chdir(before)


@st.composite
def command_lines(draw: st.DrawFn, command: DeclaredCommand) -> list[str]:
    """A command with a few of its options and its arguments, at least one of them odd."""
    values = [name for name, takes in command.options if takes]
    flags = [name for name, takes in command.options if not takes and name not in ("--help", "--embedded")]
    words = list(command.words)
    for name in draw(st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True)) if values else ():
        words += [f"{name}={draw(ODD)}"] if draw(st.booleans()) else [name, draw(ODD)]
    if flags:
        words += draw(st.lists(st.sampled_from(flags), max_size=2, unique=True))
    words += STOPPED.get(command.words, [])
    if command.arguments:
        words += ["--", *draw(st.lists(ODD, min_size=max(command.required, 1), max_size=command.required + 1))]
    return words


def said_by(words: list[str]) -> tuple[int, str]:
    """The exit code of a command line, and all that it said, on streams like those of the program."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace", write_through=True)
    with redirect_stdout(stream), redirect_stderr(stream):
        code = run(words)
    return code or 0, stream.buffer.getvalue().decode()


@pytest.mark.parametrize("command", every_command(), ids=lambda one: " ".join(one.words))
def test_no_argument_reaches_a_traceback(command: DeclaredCommand) -> None:
    @settings(
        max_examples=25 if WHOLE else 8,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(command_lines(command))
    def holds(words: list[str]) -> None:
        code, said = said_by(words)
        assert code in map(int, ALLOWED), ([word[:80] for word in words], code, said[-300:])
        assert "Traceback" not in said

    holds()


ALLOWED = (ExitCode.OK, ExitCode.USAGE, ExitCode.UNREACHABLE, ExitCode.INVALID)
