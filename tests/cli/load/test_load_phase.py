"""`dbz load --phase`: a phase of the scaling plan as a load."""

from pathlib import Path

import pytest

from dbz.errors import ExitCode
from tests.cli.running import dbz, newest_run

PLAN = """\
schema: dbz.phases/1
phases:
  - {name: small, users: 50, connections: 14, requests: 20/s}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plan.yaml").write_text(PLAN)
    return tmp_path


def test_a_phase_gives_users_connections_and_requests(folder: Path) -> None:
    """The connections are exact; the rate is met as far as a few seconds can show it."""
    done = dbz(
        *("load", "smoke", "--phase", "small", "--phases", "plan.yaml", "--workers", "2"),
        *("--duration", "5s", "--warmup", "2s"),
        cwd=folder,
    )
    # Beside other tests its two workers may lag: what they measured cannot be judged then, what they did can.
    assert done.returncode in (ExitCode.OK, ExitCode.BROKEN, ExitCode.INVALID), done.stdout + done.stderr
    run = newest_run(folder)
    assert run["users_held"] == 50
    assert run["server"]["connections"] == 14
    made = sum(one["rate_per_s"] for one in run["operations"] if one["kind"] == "http")
    assert made > 10
    # Users that come late launch their app in the judged part, each with several requests at once.
    assert made < 30 or done.returncode == ExitCode.INVALID
    assert "14 connections, 20 requests/s asked for" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["smoke", "--phase", "smal"], "unknown phase 'smal'; did you mean 'small'?"),
        (["smoke", "--phase", "small", "--users", "9"], "9 users cannot hold 14 'connections'"),
        (["smoke", "--phase", "small", "--rate", "9/s"], "'requests' already paces the users"),
        (["api", "--phase", "small"], "no SocketUser that could hold the 14 connections"),
        (["chat", "--phase", "small"], "every user of the scenario holds a connection, but only 14 of 50 may"),
    ],
)
def test_a_phase_that_does_not_fit_is_refused(folder: Path, arguments: list[str], message: str) -> None:
    done = dbz("load", *arguments, "--phases", "plan.yaml", cwd=folder)
    assert done.returncode == ExitCode.USAGE
    assert message in done.stderr
