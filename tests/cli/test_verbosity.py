"""--quiet, --verbose and --log: before a command and behind it, and no secret in any of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dbz.cli.verbosity import Verbosity, aloud, is_quiet
from dbz.errors import ExitCode, UsageError
from tests.cli.commands import every_command
from tests.cli.running import dbz, small_server

SECRETS = ("hunter2", "s3cr3t")


def steps(path: Path) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert all(set(line) >= {"schema", "time", "level", "area", "message"} for line in lines)
    assert {line["schema"] for line in lines} == {"dbz.log/1"}
    return lines


def test_every_command_takes_them() -> None:
    wanted = {"--quiet", "--verbose", "--log"}
    assert [one.words for one in every_command() if not wanted <= {name for name, _ in one.options}] == []


@pytest.mark.parametrize(
    "words", [["--quiet", "--log", "l", "load"], ["load", "--log", "l", "-q"], ["-q", "load", "--log=l"]]
)
def test_a_quiet_load_says_its_verdict_and_the_log_what_was_done(tmp_path: Path, words: list[str]) -> None:
    with small_server() as url:
        target = f"{url}/hello?token={SECRETS[0]}"
        options = ["--duration", "1s", "--users", "1", "-H", f"Authorization: Bearer {SECRETS[1]}"]
        done = dbz(*words, target, *options, cwd=tmp_path)
    assert done.returncode == ExitCode.OK, done.stderr
    assert done.stderr == "" and len(done.stdout.splitlines()) == 1 and "PASS" in done.stdout
    told = steps(tmp_path / "l")
    messages = [str(line["message"]) for line in told]
    assert messages[0] == "dbz load begins" and messages[-1] == "dbz load ends with 0" and told[-1]["exit_code"] == 0
    assert any("it is this machine" in one for one in messages)
    assert any("the run is written to reports/" in one for one in messages)
    assert any(one.startswith("started generator-0, process ") for one in messages)
    said = (tmp_path / "l").read_text() + done.stdout + done.stderr
    assert not any(secret in said for secret in SECRETS)


def test_verbose_says_what_is_done_with_reasons(tmp_path: Path) -> None:
    refused = dbz("load", "api", "--target", "http://127.0.0.1:1", "--verbose", cwd=tmp_path)
    lines = refused.stderr.splitlines()
    assert any("'api' is no path: it is the bundled profile of this name" in line for line in lines)
    assert any("looking whether 127.0.0.1 port 1 accepts connections" in line for line in lines)
    assert lines[-2].endswith("[DBZ-L003]") and not any("begins" in line for line in lines[-2:])
    assert "accepts connections" not in dbz("load", "api", "--target", "http://127.0.0.1:1", cwd=tmp_path).stderr


def test_an_error_is_in_the_log_with_its_codes(tmp_path: Path) -> None:
    for _ in range(2):
        done = dbz("load", "nothing", "--log", "l", "--quiet", cwd=tmp_path)
        assert done.returncode == ExitCode.USAGE and done.stderr.startswith("dbz: unknown profile 'nothing'")
    errors = [line for line in steps(tmp_path / "l") if line["level"] == "error"]
    assert [(line["code"], line["exit_code"]) for line in errors] == [("DBZ-E011", 2)] * 2


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["explain", "--quiet", "--verbose"], "E003"),
        (["--quiet", "explain", "--verbose"], "E003"),
        (["explain", "--log", "nowhere/l"], "E006"),
        (["explain", "--log", "."], "E006"),
        (["explain", "--log", "a\udcff" * 300], "E006"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, words: list[str], code: str) -> None:
    done = dbz(*words, cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE and f"[DBZ-{code}]" in done.stderr and done.stdout == ""


def test_a_log_on_a_full_disk_stops_nothing(tmp_path: Path) -> None:
    done = dbz("explain", "L002", "--log", "/dev/full", cwd=tmp_path)
    assert done.returncode == ExitCode.OK and "--allow-target" in done.stdout


def test_questions_are_asked_of_quiet_commands_too(capsys: pytest.CaptureFixture[str]) -> None:
    import sys

    with Verbosity(quiet=True).kept("dbz x"):
        print("progress", file=sys.stderr)
        with aloud():
            print("really?", file=sys.stderr)
        assert is_quiet() and not sys.stderr.isatty()
    assert capsys.readouterr().err == "really?\n" and not is_quiet()


def test_silence_ends_with_its_command() -> None:
    with pytest.raises(UsageError), Verbosity(quiet=True).kept("dbz x"):
        raise UsageError("x", code="E001")
    assert not is_quiet()
