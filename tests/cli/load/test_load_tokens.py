"""A run that outlives its access tokens: members renew them as the app does, over HTTP and for their sockets."""

from __future__ import annotations

import json

import pytest

from dbz.errors import ExitCode
from tests.cli.running import dbz


@pytest.mark.parametrize("profile", ["api", "chat"])
def test_tokens_are_renewed_before_they_expire(profile, tmp_path):
    options = ["--users", "8", "--duration", "8s", "--warmup", "2s", "--workers", "1", "--no-live", "--json"]
    done = dbz("load", profile, *options, cwd=tmp_path, DBZ_STATE_DIR=str(tmp_path), ACCESS_TTL_S="4")
    run = json.loads(done.stdout)
    assert done.returncode in (ExitCode.OK, ExitCode.BROKEN), done.stderr  # latency on a busy machine is not the point
    rows = {one["name"]: one for one in run["operations"]}
    assert rows["POST /api/auth/refresh"]["count"] >= 12
    assert run["errors"] == []
