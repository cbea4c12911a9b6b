"""The lease that machines share, against DynamoDB of the local cloud; the sessions below stand for machines."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from dbz.errors import DbzError, UsageError
from dbz.scaling.aws import Aws
from dbz.scaling.exclusive.lease import Lease, LeaseLostError, LeaseStaleError, read_record
from tests.children.processes import eventually
from tests.cloud.clouds import KEYS, REGION, RunningCloud

TABLE = "dbz-leases"


def never(_: float) -> bool:
    time.sleep(0.05)
    return False


@pytest.fixture
def aws(cloud: RunningCloud) -> Aws:
    return new_aws(cloud)


def new_aws(cloud: RunningCloud) -> Aws:
    return Aws(region=REGION, endpoint=cloud.url, credentials=KEYS)


@pytest.fixture
def lease(cloud: RunningCloud, request: pytest.FixtureRequest) -> Callable[..., Lease]:
    """Makes leases of one key, each with clients of its own."""

    def make(what: str = "one", for_s: float = 1.0) -> Lease:
        return Lease(new_aws(cloud), TABLE, request.node.name, what, for_s)

    return make


def elsewhere(cloud: RunningCloud, key: str) -> None:
    """Make the holder of a lease one on another machine, whose processes cannot be looked at from here, and whose clock
    is years behind."""
    client, where = cloud.client("dynamodb"), {"TableName": TABLE, "Key": {"id": {"S": key}}}
    holder = json.loads(client.get_item(**where)["Item"]["holder"]["S"])
    value = {":holder": {"S": json.dumps({**holder, "machine": "another", "host": "there"})}}
    value[":at"] = {"S": "2001-01-01T00:00:00.000+00:00"}
    names = {"#at": "at"}
    change = "SET holder = :holder, #at = :at"
    client.update_item(
        **where, UpdateExpression=change, ExpressionAttributeValues=value, ExpressionAttributeNames=names
    )


def test_one_at_a_time_and_every_holder_has_a_higher_number(lease: Callable[..., Lease], aws: Aws) -> None:
    first, second = lease("first"), lease("second")
    said: list[str] = []
    assert first.try_take()
    with first.kept():
        with pytest.raises(UsageError, match=r"first \(process \d+ on .*\) is there already"):
            second.take(said.append, never)
        first.check()
    assert said and "waiting to see whether it is still there" in said[0]
    assert second.try_take(), "given back"
    record = read_record(aws, TABLE, "test_one_at_a_time_and_every_holder_has_a_higher_number")
    assert record is not None and record.number == 2


def test_a_silent_one_is_taken_over_and_can_change_nothing_any_more(
    cloud: RunningCloud, lease: Callable[..., Lease]
) -> None:
    """The old holder never beats, as if it was paused; it finds out by its own clock, and then by the table."""
    service = cloud.new_service(2)
    paused_aws = new_aws(cloud)
    paused, other = lease("paused"), lease("other")
    assert paused.try_take()
    begin = time.monotonic()
    said: list[str] = []
    other.take(said.append, never)
    assert time.monotonic() - begin >= 1.0, "not before its time was over"
    assert "Taken over from paused" in said[-1]
    change: dict[str, Any] = {"cluster": "dbz", "service": service, "desiredCount": 3}
    with paused_aws.guarded(paused.check):
        with pytest.raises(LeaseStaleError, match="perhaps another dbz has taken over"):
            paused_aws.call("ecs", "update_service", **change)
        assert paused_aws.call("ecs", "describe_services", cluster="dbz", services=[service])["services"]
        with pytest.raises(LeaseLostError, match=r"taken over by other \(process"):
            paused.renew()
        with pytest.raises(LeaseLostError, match="taken over by other"):
            paused_aws.call("ecs", "update_service", **change)
    assert cloud.service(service)["desiredCount"] == 2
    other.renew()


def test_each_retry_is_asked_for_anew(cloud: RunningCloud, aws: Aws) -> None:
    """A call that is retried for long outlives a lease."""
    service = cloud.new_service(2)
    asked: list[int] = []

    def check() -> None:
        asked.append(1)
        if len(asked) == 3:
            raise LeaseStaleError("over", code="S018")

    cloud.fault("UpdateService", "throttle", times=2)
    with aws.guarded(check), pytest.raises(LeaseStaleError):
        aws.call("ecs", "update_service", cluster="dbz", service=service, desiredCount=3)
    assert cloud.service(service)["desiredCount"] == 2


def test_another_machine_is_only_believed_to_be_gone_when_it_was_silent(
    cloud: RunningCloud, lease: Callable[..., Lease], request: pytest.FixtureRequest
) -> None:
    first, second = lease("first"), lease("second")
    assert first.try_take()
    with first.kept():
        elsewhere(cloud, request.node.name)
        begin = time.monotonic()
        while time.monotonic() - begin < 1.5:
            assert not second.try_take(), "it beats"
            time.sleep(0.1)
    assert second.try_take()


def test_a_table_that_is_out_of_reach_for_a_while_costs_nothing_but_changes(
    cloud: RunningCloud, lease: Callable[..., Lease]
) -> None:
    held = lease()
    assert held.try_take()
    with held.kept():
        cloud.fault("UpdateItem", "refuse", times=1000)
        assert eventually(lambda: failure(held.check) is LeaseStaleError)
        cloud.control(forget_faults=True)
        assert eventually(lambda: failure(held.check) is None), "nobody has taken it meanwhile"


def failure(check: Callable[[], None]) -> type[DbzError] | None:
    try:
        check()
    except DbzError as error:
        return type(error)
    return None


def test_an_answer_that_is_lost_leaves_no_doubt(cloud: RunningCloud, lease: Callable[..., Lease]) -> None:
    cloud.fault("UpdateItem", "hang-after")
    held = lease()
    assert held.try_take(), "the second attempt found the first one's item"
    cloud.fault("UpdateItem", "hang-after")
    held.renew()


def test_notes_pass_from_holder_to_holder(lease: Callable[..., Lease]) -> None:
    first, second = lease(), lease()
    assert first.try_take()
    with first.kept():
        first.note("out", 12.5)
    assert second.try_take() and second.notes == {"out": 12.5}


def test_a_table_that_does_not_exist_says_how_to_make_it(aws: Aws) -> None:
    with pytest.raises(
        UsageError, match=r"the table 'none' \(scaling.lease_table\) does not exist in eu-west-1"
    ) as caught:
        Lease(aws, "none", "k", "w", 1.0).try_take()
    assert "aws dynamodb create-table --table-name none" in caught.value.hint
