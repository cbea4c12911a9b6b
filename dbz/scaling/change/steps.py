"""A plan: steps that dbz takes, each with what was before, and steps that people take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from dbz.config.phases.plan import Priority
from dbz.documents import DocumentKind
from dbz.scaling.change.names import EXPIRY, time_of
from dbz.scaling.change.state import Place

SCHEMA = "dbz.scale-plan/1"


class Kind(StrEnum):
    """What a step changes."""

    DESIRED = "desired count"
    TARGET = "scalable target"
    POLICY = "scaling policy"
    ALARM = "alarm"
    REPLICAS = "cache replicas"
    SCHEDULE = "scheduled action"
    RESOLUTION = "metric resolution"


@dataclass(frozen=True)
class ChangeStep:
    """One change of one resource; its inverse is the same step with `before` and `after` exchanged."""

    kind: Kind
    resource: str
    """Its name, or what the API calls it."""
    before: Any
    """What the API would take to have what is there; None: there is nothing."""
    after: Any
    """What the API will be given; None: it is taken away."""

    def inverse(self) -> ChangeStep:
        """The step back."""
        return replace(self, before=self.after, after=self.before)


@dataclass(frozen=True)
class Manual:
    """Something that dbz cannot do, with the exact instruction."""

    resource: str
    instruction: str
    why: str = ""
    """What was seen when it was looked up, or why it was not; empty: there is nothing to look up."""


@dataclass(frozen=True)
class PresentEntry:
    """An entry of a phase that was looked up, and is there."""

    resource: str
    """What it is about, as in `CDN`."""
    text: str
    """The entry, and what was found."""


@dataclass(frozen=True)
class Cost:
    """What the planned things cost a month, as far as prices are known."""

    before: float
    """Of what runs now."""
    after: float
    """Once the plan is carried out."""
    currency: str
    unpriced: tuple[str, ...]
    """What has no price and is in neither sum."""


@dataclass(frozen=True)
class ChangePlan:
    """What is to be done about one service."""

    goal: str
    """What it brings about, in words: a phase, or a number of tasks."""
    account: str
    region: str
    cluster: str
    service: str
    cache_group: str
    """The ElastiCache group that it is about; empty: none."""
    fingerprint: str
    """That of the state that it was made for: see `Live.fingerprint`."""
    steps: tuple[ChangeStep, ...]
    """What dbz does, in order."""
    manual: tuple[Manual, ...] = ()
    """What people do."""
    present: tuple[PresentEntry, ...] = ()
    """What was looked up and is there already."""
    cost: Cost | None = None
    """What it costs, without the services of `also`; None without prices."""
    notes: tuple[str, ...] = ()
    """What else acts on the service, and what the steps alone do not say."""
    seen: Mapping[str, Any] = field(default_factory=dict)
    """What it was made for, as `Live.configured` says it; empty in plans of an older dbz."""
    also: tuple[ChangePlan, ...] = ()
    """Plans for other services of the cluster that are carried out with it, ordered by `dbz.scaling.change.order`."""
    priority: Priority = "high"
    """When its service gets tasks, or loses them, among several services."""

    def everything(self) -> list[ChangePlan]:
        """This plan and those of other services that have something to do."""
        return [self, *(one for one in self.also if one.steps)]

    @property
    def cost_together(self) -> Cost | None:
        """What it costs with all services; None without prices. A service whose tasks have none is named."""
        plans = (self, *self.also)
        costs = [one.cost for one in plans if one.cost]
        if not costs:
            return None
        unpriced = [name for cost in costs for name in cost.unpriced]
        unpriced += [one.service for one in self.also if one.cost is None]
        before, after = sum(cost.before for cost in costs), sum(cost.after for cost in costs)
        return Cost(before, after, costs[0].currency, tuple(unpriced))

    @property
    def place(self) -> Place:
        """The service that it is for."""
        return Place(self.account, self.region, self.cluster, self.service)

    def document(self) -> dict[str, Any]:
        """As JSON, with its schema."""
        return {"schema": SCHEMA, **asdict(self)}


def ends_at(plan: ChangePlan) -> datetime | None:
    """When the plan's range is put back by itself; None: never."""
    found = next((one.after["Schedule"] for one in plan.steps if one.resource == EXPIRY and one.after), None)
    return time_of(found) if found else None


def plan_of(document: dict[str, Any], origin: str) -> ChangePlan:
    """A plan from its JSON; `UsageError` when it is none."""
    return _KIND.of(document, origin)


def steps_of(rows: Sequence[dict[str, Any]]) -> tuple[ChangeStep, ...]:
    """Steps from their JSON."""
    return tuple(ChangeStep(Kind(one["kind"]), one["resource"], one["before"], one["after"]) for one in rows)


def read_plan(path: Path) -> ChangePlan:
    """A plan that `dbz scale plan --out` has written; `UsageError` when it cannot be read."""
    return _KIND.read(path)


def _made(document: Mapping[str, Any]) -> ChangePlan:
    cost = document["cost"]
    texts = {key: str(document[key]) for key in ("goal", "account", "region", "cluster", "service", "fingerprint")}
    return ChangePlan(
        **texts,
        cache_group=str(document["cache_group"]),
        steps=steps_of(document["steps"]),
        manual=tuple(Manual(**one) for one in document["manual"]),
        present=tuple(PresentEntry(**one) for one in document.get("present", ())),
        cost=Cost(**{**cost, "unpriced": tuple(cost["unpriced"])}) if cost else None,
        notes=tuple(str(note) for note in document.get("notes", ())),
        seen=dict(document.get("seen", {})),
        also=tuple(_made(one) for one in document.get("also", ())),
        priority=document.get("priority", "high"),
    )


_KIND = DocumentKind(
    SCHEMA, "a plan of dbz scale", _made, "cannot read the plan {path}", hint="dbz scale plan PHASE --out FILE"
)
