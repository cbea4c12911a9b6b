"""Sources that the room of monitoring is given: the generator and AWS are rooms beside it, which it does not know."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dbz.extras import AWS_CLIENT, need

if TYPE_CHECKING:
    from dbz.config.monitor.file import MonitorFile
    from dbz.config.monitor.targets import WatchedEcs, WatchedProbe, WatchedQueue
    from dbz.monitor.sources.reading import Source, SourceReading
    from dbz.scaling.aws import Aws

_AWS_ATTEMPTS, _AWS_TIMEOUT_S = 2, 4.0
"""The next round asks again anyway."""


def given_sources(config: MonitorFile, folder: Path) -> list[Source]:
    """A source for each probe that plays a scenario, whose records lie below `folder` while they last, and for each
    queue and service that AWS has.

    `UsageError` or `ConfigError` when a scenario or its target cannot be right, `DependencyError` when a package is
    missing.
    """
    sources = [_scenario_source(config, probe, folder) for probe in config.probes if probe.scenario]
    queues = [queue for queue in config.queues if queue.sqs]
    if queues or config.ecs:
        need("watching AWS", AWS_CLIENT, "aws")
        sources += [_sqs_source(queue) for queue in queues]
        sources += [_ecs_source(ecs) for ecs in config.ecs]
    return sources


def _scenario_source(config: MonitorFile, probe: WatchedProbe, folder: Path) -> Source:
    from dbz.load.standing import StandingLoad, plan_standing
    from dbz.monitor.sources.scenario import scenario_source

    plan = plan_standing(probe.scenario, config.target_of(probe), probe.users, probe.every)
    return scenario_source(probe, StandingLoad(plan, folder / probe.name))


def _aws(region: str) -> Aws:
    from dbz.scaling.aws import Aws

    return Aws(region=region or None, attempts=_AWS_ATTEMPTS, read_timeout_s=_AWS_TIMEOUT_S)


def _sqs_source(queue: WatchedQueue) -> Source:
    from dbz.config.grammar.watched import Watched
    from dbz.monitor.sources.asking import BlockingSource
    from dbz.monitor.sources.reading import SourceReading

    aws = _aws(queue.region)
    waiting, taken, later = (f"ApproximateNumberOfMessages{part}" for part in ("", "NotVisible", "Delayed"))

    def ask() -> SourceReading:
        answer = aws.call(
            "sqs", "get_queue_attributes", QueueUrl=queue.sqs, AttributeNames=[waiting, taken, later]
        )["Attributes"]  # fmt: skip
        figures = {Watched.QUEUE_DEPTH: float(answer[waiting]), Watched.PENDING_MESSAGES: float(answer[taken])}
        return SourceReading(True, "sqs", figures, {"delayed_messages": float(answer[later])})

    return BlockingSource(queue.name, ask)


def _ecs_source(ecs: WatchedEcs) -> Source:
    from dbz.config.phases.plan import Scaling
    from dbz.monitor.sources.asking import BlockingSource
    from dbz.monitor.sources.reading import SourceReading
    from dbz.scaling.arns import named_service
    from dbz.scaling.handle import ServiceHandle
    from dbz.scaling.watching import ServiceWatch

    place = named_service(ecs.cluster, ecs.service)
    scaling = Scaling.model_validate({"cluster": place.cluster, "service": place.service}).model_copy(
        update={"period": ecs.period, "data_age": ecs.data_age}
    )
    watch = ServiceWatch(
        ServiceHandle(_aws(ecs.region or place.region), place.cluster, place.service, place.account), scaling
    )

    def ask() -> SourceReading:
        state = watch.look()
        return SourceReading(state.active, state.status, state.figures, state.details)

    return BlockingSource(ecs.name, ask)
