"""Target tracking: the policies of AWS, and what they would do with a trace. Pure.

(Application Auto Scaling user guide, target tracking scaling policies.) Each policy comes with two alarms that AWS
makes and changes itself. Several policies scale out when any asks for it and in when all do.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from dbz.config.grammar.target_tracking import FINE_S, Target
from dbz.config.grammar.watched import Watched
from dbz.config.phases.balancers import APPLICATION
from dbz.config.phases.plan import Scaling
from dbz.errors import UsageError
from dbz.scaling.change.names import TRACK_PREFIX
from dbz.scaling.change.state import Json
from dbz.scaling.decide.rules import Action, Decision, Sample
from dbz.scaling.simulate.simulator import Controller

APP_NAMESPACE, CONNECTIONS = "dbz", "ActiveConnections"
"""The metric that the app's servers publish, one value a task."""
_PREDEFINED = {
    Watched.CPU: "ECSServiceAverageCPUUtilization",
    Watched.MEMORY: "ECSServiceAverageMemoryUtilization",
    Watched.REQUESTS: "ALBRequestCountPerTarget",
}
OUT_SAMPLES, IN_S = 3, 900
IN_BELOW = 0.9
"""Out after 3 datapoints above the target, in after 15 minutes below nine tenths of it."""


def tracking_policies(targets: Sequence[Target], scaling: Scaling) -> dict[str, Json]:
    """The policies by name, as PutScalingPolicy takes them.

    `UsageError` when requests are to be kept and the load balancer or the target group is not named.
    """
    policies: dict[str, Json] = {}
    for target in targets:
        name = TRACK_PREFIX + target.metric.value.split()[-1].lower()
        policies[name] = {
            "PolicyName": name,
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": {
                "TargetValue": _target_value(target, scaling),
                **_metric(target, scaling),
                "ScaleOutCooldown": round(scaling.cooldown_out),
                "ScaleInCooldown": round(scaling.cooldown_in),
                "DisableScaleIn": False,
            },
        }
    return policies


def refuse_other_balancer(metric: Watched, balancer: str) -> None:
    """`UsageError` for a load balancer of which CloudWatch has no such metric: an alarm on it would never go off."""
    if not balancer.startswith(APPLICATION):
        raise UsageError(
            f"a sentence on {metric.value} needs an Application Load Balancer: CloudWatch has none of {balancer}",
            hint="sentences on CPU or memory; or dbz scale auto with --metrics, from the servers themselves",
            code="S020",
        )


def _target_value(target: Target, scaling: Scaling) -> float:
    """In the unit of the metric: percent, connections of a task, requests of a task in a minute."""
    scale = {Watched.CONNECTIONS: scaling.connections_per_server, Watched.REQUESTS: 60}.get(target.metric, 100)
    return round(target.value * scale, 9)


def _metric(target: Target, scaling: Scaling) -> dict[str, Any]:
    if target.metric is Watched.CONNECTIONS:
        dimensions = {"ClusterName": scaling.cluster, "ServiceName": scaling.service}
        return {
            "CustomizedMetricSpecification": {
                "Namespace": APP_NAMESPACE, "MetricName": CONNECTIONS, "Statistic": "Average",
                "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
            }
        }  # fmt: skip
    fine = "HighResolution" if target.every_s == FINE_S else ""
    found: dict[str, Any] = {"PredefinedMetricType": _PREDEFINED[target.metric] + fine}
    if target.metric is Watched.REQUESTS:
        if not (scaling.load_balancer and scaling.target_group):
            raise UsageError(
                f"'{target}' needs scaling.load_balancer and scaling.target_group",
                hint="as in app/my-alb/50dc6c495c0c9188 and targetgroup/my-targets/943f017f100becff",
                code="S020",
            )
        refuse_other_balancer(target.metric, scaling.load_balancer)
        found["ResourceLabel"] = f"{scaling.load_balancer}/{scaling.target_group}"
    return {"PredefinedMetricSpecification": found}


class TargetTracker:
    """What these policies do, sample by sample, as a controller of the simulator.

    In proportion to how far the mean of the deciding datapoints is from the target. Each target has a datapoint as
    often as its metric is written; where one comes every 20 seconds, those of the others are means over three samples.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        bounds: tuple[int, int],
        *,
        cooldowns_s: tuple[float, float] = (300.0, 300.0),
        connections_per_task: int = 250,
    ) -> None:
        self._lowest, self._highest = bounds
        self._out_s, self._in_s = cooldowns_s
        self._per_task = connections_per_task
        self.period_s = float(min((target.every_s for target in targets), default=60))
        self._shares: Mapping[Target, deque[float | None]] = {
            target: deque(maxlen=_in_samples(target)) for target in targets
        }
        self._parts: dict[Target, list[float]] = {target: [] for target in targets}
        self._last_out_s = self._last_s = -math.inf

    def decide(self, sample: Sample, desired: int) -> Decision:
        """The wanted number of tasks after a sample."""
        for target, shares in self._shares.items():
            share = self._share(target, sample)
            self._parts[target] += [] if share is None else [share]
            if not sample.at_s % target.every_s:
                parts = self._parts[target]
                shares.append(sum(parts) / len(parts) if parts else None)
                self._parts[target] = []
        out = self._asked(sample, above=True)
        if out:
            target = max(out, key=lambda one: out[one])
            wanted = min(self._highest, out[target])
            if wanted > desired and sample.at_s - self._last_out_s >= self._out_s:
                self._last_out_s = self._last_s = sample.at_s
                return Decision(Action.OUT, wanted, f"above {target}")
            return Decision(Action.HOLD, desired, f"above {target}, at the maximum or resting")
        back = self._asked(sample, above=False)
        if len(back) == len(self._shares) and sample.at_s - self._last_s >= self._in_s:
            wanted = max(self._lowest, *back.values())
            if wanted < desired:
                self._last_s = sample.at_s
                return Decision(Action.IN, wanted, "below " + ", ".join(map(str, back)))
        return Decision(Action.HOLD, desired, "no alarm")

    def _share(self, target: Target, sample: Sample) -> float | None:
        """The metric over its target: 1 is where it is to be kept."""
        value = sample.values.get(target.metric)
        if value is None or sample.tasks <= 0:
            return None
        of_all = {Watched.CONNECTIONS: sample.tasks * self._per_task, Watched.REQUESTS: sample.tasks}
        return value / of_all.get(target.metric, 1) / target.value

    def _asked(self, sample: Sample, *, above: bool) -> dict[Target, int]:
        """The targets whose alarm lasts, each with the tasks that would meet it."""
        found = {}
        for target, shares in self._shares.items():
            count = OUT_SAMPLES if above else _in_samples(target)
            newest = [share for share in list(shares)[-count:] if share is not None]
            if len(newest) == count and all(share > 1 if above else share < IN_BELOW for share in newest):
                found[target] = math.ceil(round(sample.tasks * sum(newest) / count, 9))
        return found


def _in_samples(target: Target) -> int:
    """As many datapoints as must be below the target for scaling in."""
    return IN_S // target.every_s


class Both:
    """Conditions that only scale out, beside target tracking that does both: AWS takes the larger number."""

    def __init__(self, rules: Controller, tracker: TargetTracker) -> None:
        self.period_s = min(rules.period_s, tracker.period_s)
        self._rules, self._tracker = rules, tracker
        self._ruled_s = self._tracked_s = -math.inf

    def decide(self, sample: Sample, desired: int) -> Decision:
        """Each of them looks once in its own period."""
        first = Decision(Action.HOLD, desired, "no condition is met")
        if sample.at_s - self._ruled_s >= self._rules.period_s:
            self._ruled_s = sample.at_s
            first = self._rules.decide(sample, desired)
        if sample.at_s - self._tracked_s < self._tracker.period_s:
            return first
        self._tracked_s = sample.at_s
        second = self._tracker.decide(sample, desired)
        if first.action is Action.OUT:
            return max(first, second, key=lambda one: one.desired)
        return first if second.action is Action.HOLD else second
