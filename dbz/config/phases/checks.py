"""What a scaling plan must not say at once: sentences that would fight, bounds that phases go beyond, odd periods."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dbz.config.grammar.conditions import Condition
from dbz.config.grammar.target_tracking import Target
from dbz.config.phases.plan import PRIORITIES, ApiServers, Phase, Phases
from dbz.config.source.source import YamlSource
from dbz.errors import Problem
from dbz.suggest import did_you_mean
from dbz.units import format_duration

HIGH_RESOLUTION_S = (10, 20, 30)
"""Periods under a minute that CloudWatch alarms take."""


@dataclass(frozen=True)
class _Rules:
    """When a service scales, and where in the file that is said."""

    where: tuple[str | int, ...]
    out: Sequence[Condition]
    inwards: Sequence[Condition]
    targets: Sequence[Target]

    def problem(self, source: YamlSource, key: str, number: int | None, text: str) -> Problem:
        """About a sentence, or about all of them."""
        path = (*self.where, key) if number is None else (*self.where, key, number)
        return Problem(source.where(path), text)


def contradictions(plan: Phases, source: YamlSource) -> list[Problem]:
    """Phases beyond the bounds, conditions that would fight, and target tracking beside what it cannot be with."""
    found = [
        problem for check in (_beyond_bounds, _twice, _priorities_of_nobody, _period) for problem in check(plan, source)
    ]
    for rules in _all_rules(plan):
        found += [problem for check in (_no_room, _sizes, _tracking) for problem in check(rules, source)]
        if rules.targets and plan.scaling.autoscaler == "dbz":
            text = "needs scaling.autoscaler: native: AWS does it"
            found.append(rules.problem(source, "target_tracking", None, text))
    return found


def _all_rules(plan: Phases) -> Iterator[_Rules]:
    """Those of the plan, and those of other services."""
    yield _Rules((), plan.scale_out_when_any, plan.scale_in_when_all, plan.target_tracking)
    for at, phase in enumerate(plan.phases):
        for name, one in phase.services.items():
            where = ("phases", at, "services", name)
            yield _Rules(where, one.scale_out_when_any, one.scale_in_when_all, one.target_tracking)


def _beyond_bounds(plan: Phases, source: YamlSource) -> list[Problem]:
    bounds = plan.scaling.bounds
    return [
        Problem(
            source.where(("phases", at, *where)),
            f"{phase.name} wants {wanted} {what}, beyond scaling.bounds ({bounds.min} to {bounds.max})",
        )
        for at, phase in enumerate(plan.phases)
        for where, what, servers in _servers_of(phase)
        for wanted in (servers.min, servers.max)
        if not bounds.min <= wanted <= bounds.max
    ][:1]


def _servers_of(phase: Phase) -> Iterator[tuple[tuple[str, ...], str, ApiServers]]:
    """Where in a phase it is said of whom how many run."""
    if phase.api_servers:
        yield ("api_servers",), "API servers", phase.api_servers
    for name, servers in phase.services.items():
        yield ("services", name), f"tasks of {name}", servers


def _twice(plan: Phases, source: YamlSource) -> Iterator[Problem]:
    """The service of the API servers among the others, where that says something twice, or something that is the
    plan's to say."""
    main = plan.scaling.main
    for at, phase in enumerate(plan.phases):
        own = phase.services.get(main)
        where = source.where(("phases", at, "services", main))
        if own is not None and phase.api_servers is not None:
            text = f"{phase.name} says the tasks of {main} twice, as api_servers and here: leave one of them out"
            yield Problem(where, text)
        if own is not None and own.has_rules:
            yield Problem(where, f"{main} is scaling.service: it scales by the plan's own sentences, none stand here")


def _priorities_of_nobody(plan: Phases, source: YamlSource) -> Iterator[Problem]:
    """Priorities of services that no phase has."""
    known = {plan.scaling.main, *PRIORITIES, *(name for phase in plan.phases for name in phase.services)}
    for name in plan.scaling.priorities:
        if name not in known:
            text = f"no phase has a service '{name}'{did_you_mean(name, sorted(known))}"
            yield Problem(source.where(("scaling", "priorities", name)), text)


def _no_room(rules: _Rules, source: YamlSource) -> list[Problem]:
    """Conditions that would hold in both directions at once: the servers would go up and down for ever."""
    return [
        rules.problem(
            source, "scale_in_when_all", at,
            f"'{inwards}' and '{outwards}' leave no room between scaling in and scaling out",
        )
        for at, inwards in enumerate(rules.inwards)
        for outwards in rules.out
        if (inwards.metric, inwards.of_capacity) == (outwards.metric, outwards.of_capacity)
        and inwards.op.startswith("<")
        and outwards.op.startswith(">")
        and inwards.limit >= outwards.limit
    ]  # fmt: skip


def _sizes(rules: _Rules, source: YamlSource) -> list[Problem]:
    """Steps by size of breach that are said of scaling in, where all conditions decide together."""
    return [
        rules.problem(source, "scale_in_when_all", at, f"'{each}': only a sentence for scaling out says how many tasks")
        for at, each in enumerate(rules.inwards)
        if each.sized
    ]


def _period(plan: Phases, source: YamlSource) -> list[Problem]:
    """A period that CloudWatch does not take; those under 10 s are for rehearsals on a local cloud."""
    period_s = plan.scaling.period
    asked = any(rules.out or rules.inwards for rules in _all_rules(plan))
    if not asked or period_s in HIGH_RESOLUTION_S or period_s < min(HIGH_RESOLUTION_S) or not period_s % 60:
        return []
    what = f"scaling.period {format_duration(period_s)} is none that CloudWatch takes: 10, 20, 30 s or whole minutes"
    return [Problem(source.where(("scaling", "period")), what)]


def _tracking(rules: _Rules, source: YamlSource) -> list[Problem]:
    """What target tracking cannot be together with: it scales in by itself."""
    metrics = [one.metric for one in rules.targets]
    problems = [
        rules.problem(source, "target_tracking", at, f"{metric.value} is to be kept in two places")
        for at, metric in enumerate(metrics)
        if metric in metrics[:at]
    ]
    if metrics and rules.inwards:
        what = "target_tracking scales in by itself, and scale_in_when_all would fight it: leave one of them out"
        problems.append(rules.problem(source, "scale_in_when_all", None, what))
    return problems
