"""Task scale-in protection: the local cloud leaves protected tasks, and a change that waits says until when."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from dbz.config.phases.plan import ApiServers
from dbz.scaling.aws import Aws
from dbz.scaling.change.applying import Manner, apply_plan
from dbz.scaling.change.live import read_live
from dbz.scaling.change.planner import Wanted, plan_tasks
from dbz.scaling.handle import ServiceHandle
from tests.cloud.clouds import KEYS, REGION, RunningCloud


def test_protected_tasks_stay_until_their_protection_ends(
    cloud: RunningCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBZ_STATE_DIR", str(tmp_path))
    service, ecs = cloud.new_service(4), cloud.client("ecs")

    def tasks() -> list[str]:
        return sorted(ecs.list_tasks(cluster="dbz", serviceName=service)["taskArns"])

    kept = tasks()[1:3]
    told = ecs.update_task_protection(cluster="dbz", tasks=kept, protectionEnabled=True, expiresInMinutes=30)
    assert {one["taskArn"] for one in told["protectedTasks"]} == set(kept) and told["failures"] == []
    handle = ServiceHandle(Aws(region=REGION, endpoint=cloud.url, credentials=KEYS), "dbz", service)
    lines: list[str] = []
    plan = plan_tasks(read_live(handle), Wanted("1 task", ApiServers(min=1, max=1), allow_scale_in=True))
    apply_plan(handle.aws, plan, Manner(30.0, lines.append))
    assert tasks() == kept and cloud.service(service)["runningCount"] == 2
    (said,) = [line for line in lines if "all 2 tasks are protected" in line]
    assert f"until {datetime.now(UTC):%Y-%m-}" in said and said.endswith("then 1 of them end")
    assert any("was unable to scale in 1 tasks" in line for line in lines)
    ecs.update_task_protection(cluster="dbz", tasks=kept, protectionEnabled=False)
    cloud.until(service, lambda one: one["runningCount"] == 1)
    shown = ecs.get_task_protection(cluster="dbz", tasks=tasks())["protectedTasks"]
    assert [(one["protectionEnabled"], "expirationDate" in one) for one in shown] == [(False, False)]


@pytest.mark.parametrize("wrong", [{"tasks": []}, {"tasks": ["t"] * 11}, {"tasks": ["t"], "expiresInMinutes": 2881}])
def test_what_aws_does_not_take_is_refused(cloud: RunningCloud, wrong: dict[str, object]) -> None:
    with pytest.raises(ClientError, match="InvalidParameterException"):
        cloud.client("ecs").update_task_protection(cluster="dbz", protectionEnabled=True, **wrong)
