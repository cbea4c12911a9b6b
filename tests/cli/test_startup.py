"""The command line starts fast because it loads nothing that it does not need."""

import subprocess
import sys

import pytest

from dbz.errors import ExitCode

HEAVY = ("locust", "gevent", "boto3", "pymongo", "redis", "starlette", "socketio", "rich")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["load", "--help"],
        ["serve", "--help"],
        ["scale", "--help"],
        ["cache", "warm", "--help"],
        ["shard", "plan", "--help"],
    ],
)
def test_help_loads_no_heavy_library(arguments):
    program = (
        "import sys; from dbz.cli.main import run; code = run(sys.argv[1:]); "
        f"print([name for name in {HEAVY!r} if name in sys.modules]); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_help_of_dbz_names_every_exit_code():
    done = subprocess.run([sys.executable, "-m", "dbz.cli.main", "--help"], capture_output=True, text=True, timeout=60)
    words = done.stdout.replace(",", " ").split()
    assert all(str(int(code)) in words for code in ExitCode)


def test_the_generated_documents_are_up_to_date():
    done = subprocess.run([sys.executable, "docs/generate.py", "--check"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_dbz_without_arguments_prints_help_as_wrong_usage():
    done = subprocess.run([sys.executable, "-m", "dbz.cli.main"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, "Examples:" in done.stdout + done.stderr) == (ExitCode.USAGE, True)
