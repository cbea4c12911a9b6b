"""What a plan fills in where the user said nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dbz.load.plan import LoadRequest, fitting_workers, plan_load


@pytest.mark.parametrize(
    ("target", "users", "cores", "workers"),
    [
        ("", 520, 2, 1),
        ("", 520, 8, 4),
        ("http://127.0.0.1:8480", 520, 8, 4),
        ("http://[::1]:8480", 520, 1, 1),
        ("https://staging.example", 520, 8, 8),
        ("https://staging.example", 3, 8, 3),
        ("https://staging.example", 10_000, 128, 64),
    ],
)
def test_a_server_on_this_machine_gets_half_of_the_cores(target: str, users: int, cores: int, workers: int) -> None:
    assert fitting_workers(target, users, cores) == workers


def test_workers_that_nobody_named_fit_the_cores() -> None:
    plan = plan_load(LoadRequest("mixed"))
    assert plan.profile.workers == fitting_workers("", plan.profile.users, os.cpu_count() or 1)


def test_a_master_waits_for_one_worker_unless_told() -> None:
    assert plan_load(LoadRequest("mixed", master_port=5557)).profile.workers == 1
    assert plan_load(LoadRequest("mixed", overrides={"workers": 3}, master_port=5557)).profile.workers == 3


def test_files_that_a_profile_names_stand_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "slow.yaml").write_text(
        'schema: dbz.budgets/1\nbudgets:\n  - {name: slow, of: http, stat: p95, limit: "< 9s"}\n'
    )
    (tmp_path / "mine" / "load.yaml").write_text(
        "schema: dbz.profile/1\nname: mine\nscenario: api\nusers: 3\nbudgets: slow.yaml\n"
    )
    monkeypatch.chdir(tmp_path)
    assert [one.name for one in plan_load(LoadRequest("mine/load.yaml")).budgets] == ["slow"]
