"""`dbz scale auto` against the local cloud: CloudWatch with datapoints of a known past, services whose tasks start."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from dbz.config.grammar.conditions import parse_condition
from dbz.config.grammar.watched import Watched
from dbz.config.phases.file import load_phases
from dbz.config.phases.plan import ApiServers, Phases
from dbz.errors import DependencyError, UsageError
from dbz.scaling.aws import Aws
from dbz.scaling.change.applying import Manner, apply_plan
from dbz.scaling.change.journal import entries
from dbz.scaling.change.live import read_live
from dbz.scaling.change.planner import plan_native
from dbz.scaling.decide.daemon import Autoscaler, Evaluation, NoDataError, SteadyClock, run_forever
from dbz.scaling.decide.rules import Action
from dbz.scaling.decide.sources import CloudWatchSource, MetricsSource
from dbz.scaling.exclusive.lock import LockRole, sole
from dbz.scaling.exclusive.roles import leading
from dbz.scaling.handle import ServiceHandle
from tests.chaos.bad_way import BadWay
from tests.cloud.clouds import KEYS, REGION, RunningCloud

OUT = ("CPU > 70% for 5 minutes", "Active connections > 80% capacity")
IN = ("CPU < 30% for 15 minutes", "Active connections < 40% capacity")
BUSY, QUIET = 95.0, 10.0


@pytest.fixture(autouse=True)
def own_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBZ_STATE_DIR", str(tmp_path))


class Past(SteadyClock):
    """A clock that stands where it is put: two hours ago, at the beginning of a minute, and then minutes later."""

    def __init__(self) -> None:
        self.at_s = (time.time() - 7200) // 60 * 60

    def now_s(self) -> float:
        return self.at_s


class Scene:
    """A service, its datapoints, and an autoscaler that follows it in the past."""

    def __init__(self, cloud: RunningCloud, tasks: int = 2) -> None:
        self.cloud, self.clock = cloud, Past()
        self.service = cloud.new_service(tasks)
        self.aws = Aws(region=REGION, endpoint=cloud.url, credentials=KEYS)
        self.handle = ServiceHandle(self.aws, "dbz", self.service)
        plan = load_phases()
        scaling = plan.scaling.model_copy(update={"service": self.service})
        self.plan: Phases = plan.model_copy(
            update={
                "scaling": scaling,
                "scale_out_when_any": [parse_condition(one) for one in OUT],
                "scale_in_when_all": [parse_condition(one) for one in IN],
            }
        )

    def auto(self, low: int = 1, high: int = 4, **more: bool) -> Autoscaler:
        conditions = (*self.plan.scale_out_when_any, *self.plan.scale_in_when_all)
        source = CloudWatchSource(self.aws, self.plan.scaling, conditions)
        return Autoscaler(self.handle, self.plan, ApiServers(min=low, max=high), source, clock=self.clock, **more)

    def minutes(self, cpu: Sequence[float | None], sockets: float | None = 0.0) -> None:
        """Datapoints of so many minutes, after which it is now."""
        dimensions = [{"Name": "ClusterName", "Value": "dbz"}, {"Name": "ServiceName", "Value": self.service}]
        client = self.cloud.client("cloudwatch")
        for value in cpu:
            at = datetime.fromtimestamp(self.clock.at_s + 5, UTC)
            for namespace, name, each in (("AWS/ECS", "CPUUtilization", value), ("dbz", "ActiveConnections", sockets)):
                if each is not None:
                    datum = {"MetricName": name, "Dimensions": dimensions, "Timestamp": at, "Value": each}
                    client.put_metric_data(Namespace=namespace, MetricData=[datum])
            self.clock.at_s += 60

    @property
    def desired(self) -> int:
        return int(self.cloud.service(self.service)["desiredCount"])


@pytest.fixture
def scene(cloud: RunningCloud) -> Scene:
    return Scene(cloud)


def test_out_when_the_condition_has_held_and_not_a_minute_earlier(scene: Scene) -> None:
    auto = scene.auto()
    scene.minutes([BUSY] * 4)
    assert auto.evaluate().decision.action is Action.HOLD
    scene.minutes([BUSY])
    outcome = auto.evaluate()
    assert outcome.done and outcome.decision.reason == "CPU > 70% for 5 minutes" and scene.desired == 3
    (entry,) = entries()
    assert entry.outcome == "applied" and entry.plan.goal == "auto: CPU > 70% for 5 minutes"


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_range_that_somebody_sets_meanwhile_is_kept_to(scene: Scene, dry_run: bool) -> None:
    """A nightly scheduled action is such a somebody: it must not be undone, and neither its minimum."""
    scaling, auto = scene.cloud.client("application-autoscaling"), scene.auto(low=2, dry_run=dry_run)
    scaling.register_scalable_target(**scene.handle.scalable, MinCapacity=0, MaxCapacity=2)
    scene.minutes([BUSY] * 5)
    outcome = auto.evaluate()
    assert (outcome.decision.action, outcome.done, scene.desired) == (Action.HOLD, False, 2)
    assert outcome.decision.reason.endswith("but the range of the scalable target is 0 to 2 now")
    scaling.register_scalable_target(**scene.handle.scalable, MinCapacity=0, MaxCapacity=0)
    scene.cloud.until(scene.service, lambda one: one["runningCount"] == 0)
    scene.minutes([None])
    outcome = auto.evaluate()
    assert (outcome.decision.action, scene.desired) == (Action.HOLD, 0)
    assert outcome.decision.reason == "2 is the minimum, but the range of the scalable target is 0 to 0 now"


def test_it_holds_once_aws_scales_by_policies_too(scene: Scene) -> None:
    scaling, auto = scene.cloud.client("application-autoscaling"), scene.auto()
    scaling.register_scalable_target(**scene.handle.scalable, MinCapacity=1, MaxCapacity=9)
    metric = {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}
    scaling.put_scaling_policy(
        **scene.handle.scalable, PolicyName="cpu60", PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={"TargetValue": 60.0, "PredefinedMetricSpecification": metric},
    )  # fmt: skip
    scene.minutes([BUSY] * 5)
    outcome = auto.evaluate()
    assert (outcome.decision.action, outcome.done, scene.desired) == (Action.HOLD, False, 2)
    assert "by policies already (cpu60)" in outcome.decision.reason


def test_it_looks_back_when_it_starts_and_keeps_the_cooldown_over_a_restart(scene: Scene) -> None:
    scene.minutes([BUSY] * 5)
    scene.auto().evaluate()
    scene.cloud.until(scene.service, lambda one: one["runningCount"] == 3)
    again = scene.auto()
    assert again.evaluate().decision.reason.endswith("the last step out was less than the cooldown ago")
    assert scene.desired == 3


def test_in_when_all_agree_and_one_missing_minute_holds(scene: Scene) -> None:
    auto = scene.auto()
    scene.minutes([QUIET] * 14 + [None])
    assert auto.evaluate().decision.action is Action.HOLD
    scene.minutes([QUIET] * 14)
    assert auto.evaluate().decision.action is Action.HOLD
    scene.minutes([QUIET])
    assert auto.evaluate().done and scene.desired == 1


def test_metrics_that_stop_coming_hold(scene: Scene) -> None:
    auto = scene.auto()
    scene.minutes([QUIET] * 10)
    auto.evaluate()
    scene.clock.at_s += 30 * 60
    outcome = auto.evaluate()
    assert outcome.decision.action is Action.HOLD and outcome.standings[0].value is None


@pytest.mark.parametrize("late", [1, 2, 3])
def test_datapoints_that_come_minutes_late_are_read_when_they_have_come(scene: Scene, late: int) -> None:
    """As ECS's do: the newest minutes are empty each time, and each minute is read again until it is not."""
    auto = scene.auto()
    scene.minutes([BUSY] * 4)
    scene.clock.at_s += late * 60
    assert auto.evaluate().decision.action is Action.HOLD, "four minutes are no five"
    scene.clock.at_s -= late * 60
    scene.minutes([BUSY])
    scene.clock.at_s += late * 60
    outcome = auto.evaluate()
    assert outcome.done and scene.desired == 3
    (cpu, *_) = outcome.standings
    assert cpu.at_s == scene.clock.at_s - late * 60 and cpu.value == BUSY / 100


def test_scaling_in_works_with_late_data_too(scene: Scene) -> None:
    auto = scene.auto()
    scene.minutes([QUIET] * 15)
    scene.clock.at_s += 120
    assert auto.evaluate().done and scene.desired == 1


def test_without_data_for_too_long_it_says_so_and_ends(scene: Scene) -> None:
    auto = scene.auto()
    scene.minutes([QUIET] * 3)
    assert auto.evaluate().decision.no_data == ()
    scene.clock.at_s += 6 * 60
    outcome = auto.evaluate()
    assert outcome.decision.reason == "no data: CPU, active connections" and not outcome.done
    scene.clock.at_s += 15 * 60
    with pytest.raises(NoDataError, match=r"no data about CPU, active connections for 15m") as caught:
        run_forever(auto, lambda _: None, print, lambda _: False)
    assert caught.value.exit_code == 3


def test_a_service_that_nobody_asks_anything_is_not_without_data(scene: Scene) -> None:
    """A load balancer writes no response time for no request."""
    conditions = {"scale_out_when_any": [parse_condition("Response time > 500ms for 3 minutes")]}
    balancer = scene.plan.scaling.model_copy(update={"load_balancer": "app/a/1"})
    scene.plan = scene.plan.model_copy(update={**conditions, "scale_in_when_all": [], "scaling": balancer})
    auto = scene.auto()
    for _ in range(3):
        scene.clock.at_s += 20 * 60
        assert auto.evaluate().decision.reason == "no data: response time"


def test_a_task_that_is_starting_is_no_deployment(scene: Scene) -> None:
    auto = scene.auto()
    scene.minutes([BUSY] * 5)
    scene.cloud.control(healthy=False)
    scene.cloud.client("ecs").update_service(cluster="dbz", service=scene.service, desiredCount=3)
    scene.cloud.until(scene.service, lambda one: one["pendingCount"] >= 1)
    assert auto.evaluate().done and scene.desired == 4


def test_a_dry_run_decides_and_does_nothing(scene: Scene) -> None:
    auto = scene.auto(dry_run=True)
    scene.minutes([BUSY] * 5)
    outcome = auto.evaluate()
    assert outcome.decision.desired == 3 and not outcome.done
    assert scene.desired == 2 and entries() == []


def test_nothing_during_a_deployment(scene: Scene) -> None:
    auto = scene.auto()
    scene.minutes([BUSY] * 5)
    scene.cloud.control(healthy=False)
    scene.cloud.client("ecs").update_service(cluster="dbz", service=scene.service, forceNewDeployment=True)
    scene.cloud.until(scene.service, lambda one: len(one["deployments"]) == 2)
    assert auto.evaluate().decision.reason.endswith("a deployment is going on")
    assert scene.desired == 2


def test_nothing_while_an_apply_is_at_work(scene: Scene) -> None:
    auto = scene.auto()
    scene.minutes([BUSY] * 5)
    live = read_live(scene.handle)
    with sole(live.place, LockRole.CHANGE, "dbz scale: phase_2"):
        outcome = auto.evaluate()
    assert not outcome.done and "is being changed already by dbz scale: phase_2" in outcome.decision.reason
    assert auto.evaluate().done, "the cooldown has not begun"


def test_two_at_once(scene: Scene) -> None:
    place = read_live(scene.handle).place

    def lead() -> AbstractContextManager[object]:
        return leading(scene.aws, scene.plan.scaling, place, print, lambda _: False, standby=False)

    with lead(), pytest.raises(UsageError, match="is followed already by dbz scale auto"), lead():
        pass


def test_bounds_are_cut_to_the_range_and_policies_of_aws_are_respected(scene: Scene) -> None:
    live = read_live(scene.handle)
    manner = Manner(20, lambda _: None)
    apply_plan(scene.aws, plan_native(live, scene.plan, ApiServers(min=2, max=3)), manner)
    with pytest.raises(UsageError, match=r"by policies already \(dbz-(out|in), dbz-(out|in)\)"):
        scene.auto()
    client = scene.cloud.client("application-autoscaling")
    where = {"ServiceNamespace": "ecs", "ResourceId": f"service/dbz/{scene.service}"}
    for name in ("dbz-out", "dbz-in"):
        client.delete_scaling_policy(PolicyName=name, ScalableDimension="ecs:service:DesiredCount", **where)
    policy = scene.auto(low=1, high=9).policy
    assert (policy.lowest, policy.highest) == (2, 3)
    with pytest.raises(UsageError, match="have nothing in common"):
        scene.auto(low=5, high=9)


def test_the_native_alarms_of_the_same_rules_scale_by_themselves(cloud: RunningCloud) -> None:
    """`--emit`, on the cloud's own seconds: out by one sentence, in by the expression over all."""
    scene = Scene(cloud)
    fast = {"period": 1.0, "cooldown_out": 1.0, "cooldown_in": 1.0}
    plan = scene.plan.model_copy(
        update={
            "scaling": scene.plan.scaling.model_copy(update=fast),
            "scale_out_when_any": [parse_condition("CPU > 70% for 1 of 2 seconds")],
            "scale_in_when_all": [parse_condition("CPU < 30%"), parse_condition("Active connections < 40% capacity")],
        }
    )
    live = read_live(scene.handle)
    apply_plan(scene.aws, plan_native(live, plan, ApiServers(min=1, max=3)), Manner(20, lambda _: None))
    cloud.until(scene.service, lambda one: one["desiredCount"] == 1)
    cloud.control(demand=1000.0)
    cloud.until(scene.service, lambda one: one["desiredCount"] == 3)
    names = list(read_live(scene.handle).alarms)
    cloud.client("cloudwatch").delete_alarms(AlarmNames=names)


def test_a_wall_clock_that_jumps_does_not_move_the_daemons(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SteadyClock()
    before_s, wall_s = clock.now_s(), time.time()
    for jump_s in (-86_400, 86_400):
        monkeypatch.setattr(time, "time", lambda jump_s=jump_s: wall_s + jump_s)
        assert 0 <= clock.now_s() - before_s < 60


def test_what_cannot_be_reached_is_told_and_followed_again(scene: Scene) -> None:
    auto = scene.auto()
    scene.minutes([BUSY] * 5)
    scene.cloud.fault("GetMetricData", "refuse")
    told: list[Evaluation] = []
    warned: list[str] = []
    ended = iter([False, True])
    run_forever(auto, told.append, warned.append, lambda _: next(ended))
    assert "AWS refused cloudwatch:GetMetricData" in warned[0]
    assert [one.done for one in told] == [True] and scene.desired == 3


@pytest.mark.parametrize("cut", [False, True], ids=["one answer is lost", "nothing comes through any more"])
@pytest.mark.parametrize("restarted", [False, True], ids=["it goes on", "it is started again"])
def test_a_step_whose_answer_is_lost_counts_as_one(scene: Scene, cut: bool, restarted: bool) -> None:
    """The tasks are there, whatever became of the answer: another step would be a second one for one reason."""
    way = BadWay(scene.cloud.url, seed=1)
    with closing(way):
        scene.aws = Aws(region=REGION, endpoint=way.url, credentials=KEYS, attempts=1)
        scene.handle = ServiceHandle(scene.aws, "dbz", scene.service)
        auto = scene.auto()
        scene.minutes([BUSY] * 5)

        def lose(moment: int) -> None:
            way.lose = (1000 if cut else 1) if moment == 1 else way.lose

        way.begin(0.0, lose)
        if cut:
            with pytest.raises(DependencyError):
                auto.evaluate()
        else:
            assert auto.evaluate().done
        way.begin(0.0)
        scene.cloud.until(scene.service, lambda one: one["runningCount"] == 3)
        auto = scene.auto() if restarted else auto
        scene.minutes([BUSY])
        assert auto.evaluate().decision.action is Action.HOLD and scene.desired == 3
        scene.minutes([BUSY] * 6)
        assert auto.evaluate().done and scene.desired == 4


def test_a_step_that_failed_stands_in_nobodys_way(scene: Scene) -> None:
    auto = scene.auto()
    scene.minutes([BUSY] * 5)
    scene.cloud.fault("UpdateService", "refuse")
    with pytest.raises(DependencyError, match="ecs:UpdateService"):
        auto.evaluate()
    (entry,) = entries()
    assert (entry.outcome, entry.begun, entry.open, scene.desired) == ("failed", (), False, 2)
    assert scene.auto().evaluate().done and scene.desired == 3, "nothing was done, so no cooldown holds"


def test_a_service_that_is_deleted_ends_it(scene: Scene) -> None:
    auto = scene.auto()
    scene.cloud.client("ecs").delete_service(cluster="dbz", service=scene.service, force=True)
    with pytest.raises(UsageError, match="is inactive: deleted"):
        auto.evaluate()


class _Metrics(BaseHTTPRequestHandler):
    body = ""

    def do_GET(self) -> None:
        """The text of the moment."""
        self.send_response(200 if self.body else 503)
        self.end_headers()
        self.wfile.write(self.body.encode())

    def log_message(self, *_: object) -> None:
        """Silent."""


def exposition(cpu_s: float, answered: float, failed: float, seconds: float) -> str:
    return (
        f'dbz_process_cpu_seconds_total{{pid="1"}} {cpu_s}\ndbz_process_cpu_seconds_total{{pid="2"}} {cpu_s}\n'
        'dbz_process_resident_memory_bytes{pid="1"} 536870912\ndbz_server_cores 2\ndbz_socket_connections 300\n'
        f'dbz_http_requests_total{{status="200"}} {answered - failed}\n'
        f'dbz_http_requests_total{{status="503"}} {failed}\n'
        f"dbz_http_request_duration_seconds_sum {seconds}\ndbz_http_request_duration_seconds_count {answered}\n"
    )


def test_the_servers_own_metrics() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Metrics)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    source = MetricsSource(f"http://127.0.0.1:{server.server_port}", load_phases().scaling)
    look: Callable[[float], list[object]] = lambda now_s: list(source.since(0.0, now_s, lambda _: 2))  # noqa: E731
    try:
        _Metrics.body = exposition(100, 1000, 10, 50)
        assert look(600.0) == []
        _Metrics.body = exposition(130, 1600, 16, 80)
        (sample,) = source.since(0.0, 660.0, lambda _: 2)
        _Metrics.body = ""
        with pytest.raises(DependencyError, match="answered 503"):
            look(720.0)
        _Metrics.body = "<html>"
        with pytest.raises(DependencyError, match="has none of the figures that we know"):
            look(780.0)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert (sample.at_s, sample.tasks) == (660.0, 2)
    assert {metric: pytest.approx(value) for metric, value in sample.values.items()} == {
        Watched.CPU: 0.5, Watched.MEMORY: 0.25, Watched.CONNECTIONS: 300, Watched.REQUESTS: 10,
        Watched.RESPONSE_TIME: 50, Watched.ERROR_RATE: 0.01,
    }  # fmt: skip
    with pytest.raises(DependencyError, match="cannot be read"):
        look(780.0)
