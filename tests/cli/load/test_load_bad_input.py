"""Whatever is wrong with a `dbz load`, the user gets one clear message and the right exit code."""

import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

from dbz.errors import ExitCode
from tests.cli.running import dbz, small_server

PROFILE = """\
schema: dbz.profile/1
name: mine
scenario: api
users: 5
"""


def refused(done: subprocess.CompletedProcess[str], code: ExitCode, *words: str) -> None:
    """The command ended with `code` and one message that holds all `words`."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    for word in words:
        assert word in done.stderr


def test_an_unknown_profile_names_the_nearest(tmp_path):
    refused(dbz("load", "mixd", cwd=tmp_path), ExitCode.USAGE, "unknown profile 'mixd'", "did you mean 'mixed'?")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (PROFILE + "users: 6\n", ["mine.yaml:5", "key 'users' is repeated"]),
        (PROFILE + "usrs: 6\n", ["mine.yaml:5", "unknown key 'usrs'; did you mean 'users'?"]),
        (PROFILE.replace("users: 5", "users: -5"), ["mine.yaml:4", "-5"]),
        (PROFILE + "duration: 60\n", ["mine.yaml:5", "60 has no unit", "60s"]),
        (PROFILE + "rate: fast\n", ["mine.yaml:5", "'fast' is not a rate", "200/s"]),
        (PROFILE + "stack: {policy: best}\n", ["mine.yaml:5", "'tuned' or 'plan'"]),
        (PROFILE + "workers: 6\n", ["6 workers cannot share 5 user(s)"]),
        (PROFILE + "  : [\n", ["mine.yaml:", "malformed YAML"]),
        ("- a\n- b\n", ["mine.yaml:1", "is not a mapping"]),
        ("", ["mine.yaml", "is not a mapping"]),
        (PROFILE.replace("scenario: api", "scenario: apo"), ["unknown scenario 'apo'", "did you mean 'api'?"]),
        (PROFILE.replace("scenario: api", "scenario: none.py"), ["none.py' does not exist"]),
        (PROFILE + "budgets: strict\n", ["unknown budgets 'strict'", "default"]),
    ],
)
def test_a_wrong_profile_says_where_and_what(tmp_path, content, words):
    (tmp_path / "mine.yaml").write_text(content)
    refused(dbz("load", "mine.yaml", cwd=tmp_path), ExitCode.USAGE, *words)


def test_all_problems_of_a_profile_are_reported_at_once(tmp_path):
    (tmp_path / "mine.yaml").write_text("schema: dbz.profile/1\nname: x\nscenario: api\nusers: 0\nduration: 5\nx: 1\n")
    done = dbz("load", "mine.yaml", cwd=tmp_path)
    refused(done, ExitCode.USAGE, "mine.yaml:4", "mine.yaml:5", "mine.yaml:6")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--users", "-1"], ["--users", "-1"]),
        (["--users", "0"], ["--users", "0"]),
        (["--users", "10000000"], ["--users", "100000"]),
        (["--users", "many"], ["--users", "valid integer"]),
        (["--duration", "0s"], ["--duration"]),
        (["--duration", "-5s"], ["--duration", "'-5s' is not a duration"]),
        (["--duration", "900d"], ["--duration"]),
        (["--rate", "0/s"], ["--rate"]),
        (["--rate", "1e9/s"], ["--rate", "'1e9/s' is not a rate"]),
        (["--workers", "0"], ["--workers"]),
        (["--seed", "-1"], ["--seed"]),
        (["--budgets", "nowhere.yaml"], ["nowhere.yaml' does not exist"]),
        (["--target", "localhost:80"], ["not an http:// or https:// URL"]),
        (["--target", "http://example.org"], ["not on this machine", "--allow-target example.org"]),
        (["-X", "POST"], ["-X, -H and -d are for loading a URL"]),
    ],
)
def test_a_wrong_option_is_named(tmp_path, options, words):
    refused(dbz("load", "smoke", *options, cwd=tmp_path), ExitCode.USAGE, *words)


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        ("{name: a, of: htp, stat: p95, limit: '< 1s'}", ["unknown metric 'htp'", "did you mean http?"]),
        ("{name: a, of: http, stat: p101, limit: '< 1s'}", ["'p101' does not fit http"]),
        ("{name: a, of: http, stat: p95, limit: '< 1GB'}", ["'1GB' is not a duration"]),
        ("{name: a, of: http, stat: p95, limit: 500ms}", ["is not a limit"]),
        ("{name: a, of: http, limit: '< 1s'}", ["key 'budgets.0.stat' is missing"]),
    ],
)
def test_a_wrong_budget_is_refused_before_anything_runs(tmp_path, budget, words):
    (tmp_path / "b.yaml").write_text(f"schema: dbz.budgets/1\nbudgets:\n  - {budget}\n")
    refused(dbz("load", "smoke", "--budgets", "b.yaml", cwd=tmp_path), ExitCode.USAGE, "b.yaml:3", *words)
    assert not (tmp_path / "reports").exists()


def test_an_unreachable_target_exits_3_and_says_what_was_tried(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    done = dbz("load", "smoke", "--target", f"http://127.0.0.1:{port}", cwd=tmp_path)
    refused(done, ExitCode.UNREACHABLE, "cannot reach the target", "Connection refused", f"port {port}")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def broken(:\n", ["mine.py:1", "is not Python"]),
        ("import os\nimport no_such_module\n", ["mine.py:2", "cannot be imported", "no_such_module"]),
        ("x = 1\n", ["mine.py defines no user class"]),
        ("raise SystemExit(7)\n", ["mine.py ended the program at import with code 7"]),
        ("1 / 0\n", ["mine.py:1", "ZeroDivisionError"]),
    ],
)
def test_a_wrong_locust_file_says_what_is_wrong(tmp_path, code, words):
    (tmp_path / "mine.py").write_text(code)
    with small_server() as url:
        refused(dbz("load", "mine.py", "--target", url, cwd=tmp_path), ExitCode.USAGE, *words)


def test_a_missing_locust_file_is_named(tmp_path):
    refused(dbz("load", "nowhere.py", cwd=tmp_path), ExitCode.USAGE, "nowhere.py' does not exist")


def test_the_target_written_in_a_locust_file_needs_permission_too(tmp_path):
    code = "from locust import HttpUser\nclass A(HttpUser):\n    host = 'http://example.org'\n"
    (tmp_path / "mine.py").write_text(code)
    refused(dbz("load", "mine.py", cwd=tmp_path), ExitCode.USAGE, "example.org", "not on this machine")


def test_a_reports_folder_that_cannot_be_written_is_named_before_anything_starts(tmp_path):
    (tmp_path / "reports").write_text("a file stands where the folder should be")
    done = dbz("load", "smoke", cwd=tmp_path)
    refused(done, ExitCode.USAGE, "cannot write the report to reports/", "choose another --out")
    assert "Starting" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_said_to_be_full(tmp_path):
    """A tiny file system of one page stands for a full disk; without the right to mount one there is no way to test."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(small)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        refused(dbz("load", "smoke", "--out", str(small), cwd=tmp_path), ExitCode.USAGE, "the disk is full")
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_read_only_reports_folder_is_refused(tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    if os.access(locked, os.W_OK):
        pytest.skip("this user may write everywhere")
    refused(dbz("load", "smoke", "--out", str(locked), cwd=tmp_path), ExitCode.USAGE, "Permission denied")


def test_a_header_that_is_none_is_refused(tmp_path):
    done = dbz("load", "http://127.0.0.1:1/", "-H", "no colon", cwd=tmp_path)
    refused(done, ExitCode.USAGE, "-H 'no colon' is not a header")


def test_messages_are_one_line_and_a_hint(tmp_path):
    done = dbz("load", "mixd", cwd=tmp_path)
    assert re.fullmatch(r"dbz: .+\n     .+\n", done.stderr)
