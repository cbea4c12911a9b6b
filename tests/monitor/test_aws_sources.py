"""Services of ECS and queues of SQS, asked for in a local cloud."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dbz.cli.monitor.given import given_sources
from dbz.config.grammar.watched import Watched
from dbz.config.monitor.file import MonitorFile
from dbz.monitor.sources.reading import SourceReading
from tests.cloud.clouds import KEYS, REGION, RunningCloud


@pytest.fixture(autouse=True)
def environment(cloud: RunningCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), KEYS, strict=True):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.url)


def readings(folder: Path, **sections: Any) -> dict[str, SourceReading]:
    """One reading of everything in the sections, by name."""
    config = MonitorFile.model_validate({"schema": "dbz.monitor/1", "alerts": [], **sections})
    sources = given_sources(config, folder)

    async def looked() -> list[SourceReading]:
        return await asyncio.gather(*(source.look() for source in sources))

    return dict(zip([source.name for source in sources], asyncio.run(looked()), strict=True))


def test_a_service_tells_its_tasks_and_its_newest_metrics(cloud: RunningCloud, tmp_path: Path) -> None:
    name = cloud.new_service(2)
    dimensions = [{"Name": "ClusterName", "Value": "dbz"}, {"Name": "ServiceName", "Value": name}]
    at = datetime.fromtimestamp(time.time() // 60 * 60 - 115, UTC)
    datum = {"MetricName": "CPUUtilization", "Dimensions": dimensions, "Timestamp": at, "Value": 42.0}
    cloud.client("cloudwatch").put_metric_data(Namespace="AWS/ECS", MetricData=[datum])
    there = {"cluster": "dbz", "service": name, "region": REGION}
    found = readings(
        tmp_path,
        ecs=[
            {"name": "tasks", **there},
            {"name": "old", **there, "data_age": "1s"},
            {"name": "gone", **there, "service": "nobody"},
        ],
    )
    tasks = found["tasks"]
    assert tasks.up and tasks.figures[Watched.RUNNING_TASKS] == 2 and tasks.figures[Watched.MISSING_TASKS] == 0
    assert 0 < tasks.figures[Watched.CPU] <= 1 and 0 <= tasks.to_row()["CPU_age_s"] < 200
    assert Watched.CPU not in found["old"].figures and found["old"].figures[Watched.RUNNING_TASKS] == 2
    assert found["gone"].up is False and "there is no service nobody in cluster dbz" in found["gone"].health


def test_a_service_that_was_deleted_is_down(cloud: RunningCloud, tmp_path: Path) -> None:
    """ECS describes it for a while as INACTIVE, with no tasks wanted and so none missing."""
    name = cloud.new_service(2)
    there = {"name": "tasks", "cluster": "dbz", "service": name, "region": REGION}
    assert readings(tmp_path, ecs=[there])["tasks"].up
    cloud.client("ecs").delete_service(cluster="dbz", service=name, force=True)
    found = readings(tmp_path, ecs=[there])["tasks"]
    assert found.up is False and found.health


def test_a_queue_of_sqs_tells_what_waits_and_what_is_in_flight(cloud: RunningCloud, tmp_path: Path) -> None:
    sqs = cloud.client("sqs")
    url = sqs.create_queue(QueueName="mails")["QueueUrl"]
    for number in range(3):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))
    sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1)
    queues = [{"name": "q", "sqs": url, "region": REGION}, {"name": "gone", "sqs": f"{url}-gone", "region": REGION}]
    found = readings(tmp_path, queues=queues)
    assert found["q"].figures == {Watched.QUEUE_DEPTH: 2, Watched.PENDING_MESSAGES: 1}
    assert found["gone"].up is False and "sqs:GetQueueAttributes" in found["gone"].health
