"""A plan for several services as one change: its order, its journal, and what becomes of it when something fails."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from dbz.config.phases.plan import ApiServers, Priority
from dbz.errors import VerificationError
from dbz.scaling.aws import Aws
from dbz.scaling.change.applying import Manner, apply_plan, check_drift, take_back
from dbz.scaling.change.journal import ChangeJournal, entries, find_entry, read_entry, unfinished
from dbz.scaling.change.live import read_live
from dbz.scaling.change.order import ordered, way_back
from dbz.scaling.change.planner import Wanted, plan_tasks
from dbz.scaling.change.settle import DriftError, NotSettledError
from dbz.scaling.change.steps import ChangePlan, ChangeStep, Kind, plan_of
from dbz.scaling.handle import ServiceHandle
from tests.cloud.clouds import KEYS, REGION, RunningCloud

QUIET = Manner(20.0, lambda _: None)
LEVELS: tuple[Priority, ...] = ("high", "medium", "low")


@pytest.fixture(autouse=True)
def own_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBZ_STATE_DIR", str(tmp_path))


@pytest.fixture
def aws(cloud: RunningCloud) -> Aws:
    return Aws(region=REGION, endpoint=cloud.url, credentials=KEYS)


def made_up(service: str, priority: Priority, *steps: ChangeStep, also: tuple[ChangePlan, ...] = ()) -> ChangePlan:
    return ChangePlan("goal", "1", "r", "c", service, "", "f", steps, also=also, priority=priority)


def count(before: int, after: int) -> ChangeStep:
    return ChangeStep(Kind.DESIRED, "tasks", before, after)


def test_what_grows_comes_first_by_priority_and_what_shrinks_last_the_other_way_round() -> None:
    grown, shrunk = {"MinCapacity": 2, "MaxCapacity": 9}, {"MinCapacity": 2, "MaxCapacity": 4}
    cache = ChangeStep(Kind.REPLICAS, "cache", 1, 3)
    also = (
        made_up("band_sync", "low", count(1, 2)),
        made_up("auth", "high", count(4, 2)),
        made_up("content", "medium", ChangeStep(Kind.TARGET, "content", grown, shrunk)),
        made_up("game", "medium", count(3, 1)),
        made_up("idle", "high"),
        made_up("chat", "high", ChangeStep(Kind.TARGET, "chat", shrunk, grown), count(1, 2)),
    )
    plan = made_up("api", "high", count(2, 4), cache, also=also)
    steps = ordered(plan)
    names = [(one.plan.service, one.stage) for one in steps]
    assert names == [
        ("api", 0), ("api", 1), ("chat", 1), ("chat", 1), ("band_sync", 2), ("content", 3), ("game", 3), ("auth", 4)
    ]  # fmt: skip
    assert steps[0].step == cache
    assert way_back(steps, tuple(range(8))) == [7, 5, 6, 4, 2, 3, 1, 0], "and of chat the range before the count"
    assert ordered(plan_of(json.loads(json.dumps(plan.document())), "x")) == steps


def several(aws: Aws, names: list[str], tasks: int) -> ChangePlan:
    """A plan that gives each service so many tasks; the first one has the highest priority."""
    wanted = Wanted(f"{tasks} tasks", ApiServers(min=tasks, max=tasks), allow_scale_in=True)
    plans = [
        ChangePlan(**{**vars(plan_tasks(read_live(ServiceHandle(aws, "dbz", name)), wanted)), "priority": level})
        for name, level in zip(names, LEVELS, strict=False)
    ]
    return ChangePlan(**{**vars(plans[-1]), "also": tuple(plans[:-1])})


def desired(cloud: RunningCloud, names: list[str]) -> list[int]:
    return [cloud.service(name)["desiredCount"] for name in names]


def test_one_journal_entry_in_order_and_back(cloud: RunningCloud, aws: Aws) -> None:
    names, said = [cloud.new_service(1) for _ in LEVELS], []
    done = apply_plan(aws, several(aws, names, 2), Manner(20.0, said.append))
    (entry,) = entries()
    assert entry.id == done and [one.plan.service for one in entry.steps] == names
    began = [next(at for at, line in enumerate(said) if line.startswith(f"{name}: desired count")) for name in names]
    steady = [next(at for at, line in enumerate(said) if line.startswith(f"{name}: 2 of 2")) for name in names]
    assert began[0] < steady[0] < began[1] < steady[1] < began[2], "each waits for those of a higher priority"
    assert all(find_entry("", place).id == done for place in entry.places) and not unfinished(entry.places[0])
    take_back(aws, entry, QUIET)
    assert desired(cloud, names) == [1, 1, 1] and read_entry(entry.path).begun == ()


def test_when_one_fails_those_before_it_are_taken_back(cloud: RunningCloud, aws: Aws) -> None:
    names = [cloud.new_service(1) for _ in LEVELS]
    plan = several(aws, names, 2)
    cloud.client("ecs").update_service(cluster="dbz", service=names[2], desiredCount=3)
    with pytest.raises(DriftError) as drift:
        check_drift(aws, plan.everything())
    assert "planned from 1, now 3" in drift.value.message and names[0] not in drift.value.message
    with pytest.raises(DriftError) as caught:
        apply_plan(aws, plan, QUIET)
    assert "everything is as it was before" in caught.value.hint
    assert desired(cloud, names) == [1, 1, 3] and entries()[-1].outcome == "failed"


def test_a_service_that_is_gone_does_not_keep_the_others_from_going_back(cloud: RunningCloud, aws: Aws) -> None:
    names = [cloud.new_service(1) for _ in LEVELS]
    ecs = cloud.client("ecs")

    def delete_the_second() -> None:
        ecs.delete_service(cluster="dbz", service=names[1], force=True)
        raise VerificationError("the run broke a budget", code="S024")

    with pytest.raises(VerificationError) as caught:
        apply_plan(aws, several(aws, names, 2), QUIET, delete_the_second)
    assert "taking it back failed too" in caught.value.hint and names[1] in caught.value.hint
    assert desired(cloud, [names[0], names[2]]) == [1, 1]


def test_tasks_that_never_run_end_it_before_the_next_services(cloud: RunningCloud, aws: Aws) -> None:
    names = [cloud.new_service(1) for _ in LEVELS]

    def heal_for_the_way_back(line: str) -> None:
        if line.startswith("failed"):
            cloud.control(healthy=True)

    plan = several(aws, names, 2)
    cloud.control(healthy=False)
    with pytest.raises(NotSettledError, match=names[0]):
        apply_plan(aws, plan, Manner(1.0, heal_for_the_way_back))
    assert desired(cloud, names) == [1, 1, 1]
    lines = [json.loads(line) for line in entries()[-1].path.read_text().splitlines()]
    assert {one["step"] for one in lines if "step" in one} == {0}


def apply_and_die(cloud_url: str, names: list[str], tasks: int, writes: int) -> None:
    """Apply, and be killed right after a line of the journal."""
    write, left = ChangeJournal._write, iter(range(writes))

    def write_or_die(journal: ChangeJournal, line: dict[str, object]) -> None:
        write(journal, line)
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    ChangeJournal._write = write_or_die  # type: ignore[method-assign]
    aws = Aws(region=REGION, endpoint=cloud_url, credentials=KEYS)
    apply_plan(aws, several(aws, names, tasks), QUIET)


def test_killed_anywhere_and_resumed_it_is_finished_exactly(cloud: RunningCloud, aws: Aws) -> None:
    """After every line that the journal of a change of two services has, out and in."""
    names = [cloud.new_service(1) for _ in LEVELS[:2]]
    for writes in range(5):
        tasks = 2 - writes % 2
        arguments = (cloud.url, names, tasks, writes)
        child = multiprocessing.get_context("fork").Process(target=apply_and_die, args=arguments)
        child.start()
        child.join(30)
        assert child.exitcode == -signal.SIGKILL
        entry = entries()[-1]
        assert len(entry.begun) == (writes + 1) // 2 and not entry.outcome
        before = desired(cloud, names)
        entry.check_resumable()
        apply_plan(aws, entry.plan, QUIET, resumed=entry)
        assert desired(cloud, names) == [tasks] * 2, before
        entry = read_entry(entry.path)
        assert (entry.outcome, entry.begun, entry.done) == ("applied", (0, 1), (0, 1))
    assert len(entries()) == 5, "and each change is one entry"
