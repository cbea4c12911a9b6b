"""What must fit together in a monitor file: names that stand there once, and names that must be there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from dbz.config.monitor.alerts import BUILT_IN, AlertRule
from dbz.config.monitor.channels import LOG
from dbz.config.monitor.fields import ALERT_KEYS
from dbz.config.monitor.kinds import TELLS, WatchedKind, WatchedThing
from dbz.config.monitor.matching import AlertMatcher
from dbz.config.monitor.sections import MonitorSections
from dbz.config.source.model import Misfit
from dbz.config.source.source import Location
from dbz.suggest import did_you_mean


def misfits(file: MonitorSections) -> Iterator[Misfit]:
    """Everything that does not fit, each with its place in the file."""
    if LOG in file.channels:
        yield ("channels", LOG), f"'{LOG}' is the channel that is always there; choose another name"
    yield from _of_things(file)
    yield from _of_alerts(file)
    targets = [thing.name for thing in file.watched]
    types = [
        *BUILT_IN,
        *(alert.type for alert in file.alerts),
        *(one for each in file.objectives for one in each.types),
    ]
    for section, index, matcher, place in _matchers(file):
        yield from _of_matcher(file, (section, index, *place), matcher, targets, types)
    for index, route in enumerate(file.routes):
        yield from _unknown(("routes", index, "to"), "channel", route.to, [LOG, *file.channels])
        by = ("routes", index, "group_by")
        yield from _unknown(by, "label", route.group_by or (), [*ALERT_KEYS, *file.labels])
    for index, inhibition in enumerate(file.inhibit):
        equal = ("inhibit", index, "equal")
        yield from _unknown(equal, "label", inhibition.equal, [*ALERT_KEYS, *file.labels])


def _of_things(file: MonitorSections) -> Iterator[Misfit]:
    if not file.watched:
        yield (), f"nothing is watched; the sections are {', '.join(WatchedKind)}"
    for index, probe in enumerate(file.probes):
        if probe.scenario and not (probe.target or file.targets):
            yield ("probes", index), f"probe '{probe.name}' needs a target: there is none among targets either"
    sections = ("targets", "redis", "stores", "queues", "ecs", "probes")
    named: list[tuple[Location, str]] = [
        ((name, index), one.name) for name in sections for index, one in enumerate(getattr(file, name))
    ]
    named += [(("shards",), file.shards.name)] if file.shards is not None else []
    yield from _twice("target", named)


def _of_alerts(file: MonitorSections) -> Iterator[Misfit]:
    named: list[tuple[Location, str]] = [((), type_) for type_ in BUILT_IN]
    named += [(("alerts", index), alert.type) for index, alert in enumerate(file.alerts)]
    named += [(("objectives", index), type_) for index, one in enumerate(file.objectives) for type_ in one.types]
    yield from _twice("alert", named)
    things = {thing.name: thing for thing in file.watched}
    for index, alert in enumerate(file.alerts):
        place = ("alerts", index, "targets")
        yield from _unknown(place, "target", alert.targets, things)
        for name in alert.targets:
            if name in things and alert.when.metric not in TELLS[things[name].kind]:
                yield place, _unable(alert, things[name])
    services = [target.name for target in file.targets]
    for index, objective in enumerate(file.objectives):
        yield from _unknown(("objectives", index, "targets"), "target", objective.targets, services)


def _matchers(file: MonitorSections) -> Iterator[tuple[str, int, AlertMatcher, Location]]:
    """All matchers of the file: section, index, and their place below that."""
    yield from (("routes", index, route, ()) for index, route in enumerate(file.routes))
    yield from (("mute", index, mute, ()) for index, mute in enumerate(file.mute))
    for index, inhibition in enumerate(file.inhibit):
        yield "inhibit", index, inhibition.source, ("source",)
        yield "inhibit", index, inhibition.target, ("target",)


def _of_matcher(
    file: MonitorSections, place: Location, matcher: AlertMatcher, targets: Sequence[str], types: Sequence[str]
) -> Iterator[Misfit]:
    yield from _unknown((*place, "target"), "target", matcher.target, targets)
    yield from _unknown((*place, "type"), "alert", matcher.type, types)
    yield from _unknown((*place, "labels"), "label", matcher.labels, list(file.labels))
    for name, values in matcher.labels.items():
        if name in file.labels:
            what = f"label {name} with the value"
            yield from _unknown((*place, "labels", name), what, values, file.labels[name])


def _twice(what: str, named: Sequence[tuple[Location, str]]) -> Iterator[Misfit]:
    """A name that two things have is wrong at the second."""
    seen: set[str] = set()
    for place, name in named:
        if name in seen:
            yield place, f"two {what}s are called '{name}'"
        seen.add(name)


def _unknown(place: Location, what: str, names: Collection[str], known: Collection[str]) -> Iterator[Misfit]:
    for name in names:
        if name not in known:
            known_text = f"known: {', '.join(known)}" if known else "there is none"
            yield place, f"there is no {what} '{name}'{did_you_mean(name, list(known))} ({known_text})"


def _unable(alert: AlertRule, thing: WatchedThing) -> str:
    """A rule that names what can never tell its metric would never fire."""
    who = ", ".join(kind for kind, metrics in TELLS.items() if alert.when.metric in metrics)
    return (
        f"alert '{alert.type}': '{thing.name}' is one of {thing.kind} and never tells its "
        f"{alert.when.metric.value}" + (f"; what does: {who}" if who else "")
    )
