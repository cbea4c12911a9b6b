"""The scaling plan, schema `dbz.phases/1`: what each phase must carry and with what, and when servers scale."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from dbz.config.grammar.conditions import Condition, parse_condition
from dbz.config.grammar.target_tracking import Target, parse_target
from dbz.config.grammar.watched import SCALABLE
from dbz.config.load.profile import MAX_RATE_PER_S, MAX_USERS
from dbz.config.phases.balancers import balancer_name, group_name
from dbz.config.source.model import Duration, Parsed, Rate, Size, Strict
from dbz.errors import UsageError
from dbz.suggest import did_you_mean

MAX_API_SERVERS = 1000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")
_SERVICE = re.compile(r"[A-Za-z0-9_-]{1,255}")
_DUE = re.compile(r"[1-9]\d* (days?|weeks?|months?|years?)")


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(f"'{text}' is not a name; write for example phase_2")
    return text


def _due(text: str) -> str:
    if text and not _DUE.fullmatch(text):
        raise ValueError(f"'{text}' is not a time to come; write for example 3 months")
    return text


def _words(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty")
    return text.strip()


def _condition(value: object) -> object:
    if isinstance(value, Condition):
        return value
    if not isinstance(value, str):
        raise ValueError(f'{value!r} is not a sentence; write for example "CPU > 70% for 5 minutes"')
    return parse_condition(value, SCALABLE)


def _target(value: object) -> object:
    if isinstance(value, Target):
        return value
    if not isinstance(value, str):
        raise ValueError(f'{value!r} is not a sentence; write for example "CPU at 60%"')
    return parse_target(value)


def _service_name(text: str) -> str:
    if not _SERVICE.fullmatch(text):
        raise ValueError(f"'{text}' is no name of an ECS service")
    return text


Priority = Literal["high", "medium", "low"]
"""Which services get their tasks first when they are added, and keep them longest when they are taken away."""
PRIORITIES: dict[str, Priority] = {
    "auth": "high",
    "chat": "high",
    "content": "medium",
    "game": "medium",
    "notification": "medium",
    "band_sync": "low",
}
"""Those of the app's own services, unless `scaling.priorities` says otherwise."""
_OTHERS: Priority = "medium"

ServiceName = Annotated[str, AfterValidator(_service_name)]
"""What ECS takes as the name of a service."""
Words = Annotated[str, AfterValidator(_words)]
"""Text that must not be empty, such as the name of a service."""
Sentence = Annotated[Condition, BeforeValidator(_condition, json_schema_input_type=str)]
"""A scaling condition, written `CPU > 70% for 5 minutes` (`dbz.config.grammar.conditions`)."""

TrackedSentence = Annotated[Target, BeforeValidator(_target, json_schema_input_type=str)]
"""Where a metric is kept, written `CPU at 60%` (`dbz.config.grammar.target_tracking`)."""


class ApiServers(Strict):
    """How many API servers run: `min` equals `max` when the number is fixed."""

    min: int = Field(ge=1, le=MAX_API_SERVERS)
    max: int = Field(ge=1, le=MAX_API_SERVERS)

    @model_validator(mode="after")
    def _min_is_not_above_max(self) -> ApiServers:
        if self.min > self.max:
            raise ValueError(f"min {self.min} is more than max {self.max}")
        return self

    @property
    def fixed(self) -> bool:
        """Whether no auto-scaling is planned."""
        return self.min == self.max


class OtherService(ApiServers):
    """How many tasks another service has, and when these scale: by sentences of its own, else by those of the plan."""

    scale_out_when_any: list[Sentence] = Field(default_factory=list)
    scale_in_when_all: list[Sentence] = Field(default_factory=list)
    target_tracking: list[TrackedSentence] = Field(default_factory=list)

    @property
    def has_rules(self) -> bool:
        """Whether it has sentences of its own."""
        return bool(self.scale_out_when_any or self.scale_in_when_all or self.target_tracking)

    @model_validator(mode="after")
    def _a_fixed_number_does_not_scale(self) -> OtherService:
        if self.fixed and self.has_rules:
            raise ValueError(f"{self.min} tasks are a fixed number: sentences need a range")
        return self


def _fixed_number(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        if not 1 <= value <= MAX_API_SERVERS:
            raise ValueError(f"must be from 1 to {MAX_API_SERVERS} tasks, not {value}")
        return {"min": value, "max": value}
    if isinstance(value, dict | ApiServers):
        return value
    raise ValueError(f"{value!r} is not a number of servers; write for example 4, or {{min: 2, max: 10}}")


_NUMBER = BeforeValidator(_fixed_number, json_schema_input_type=int | ApiServers)
_OTHER = BeforeValidator(_fixed_number, json_schema_input_type=int | OtherService)


def _one_or_more(value: object) -> object:
    return [value] if isinstance(value, str) else value


class Database(Strict):
    """The database of a phase; `cluster` is its name where it runs, for commands that can be pasted."""

    service: Words
    tier: Words
    topology: Words
    cluster: str = ""


class Cache(Strict):
    """The cache of a phase."""

    service: Words
    nodes: int = Field(ge=1, le=500)


class Phase(Strict):
    """What a phase must carry (`requests` is API requests a second), and what it is to carry it with."""

    name: Annotated[str, AfterValidator(_name)]
    about: str = ""
    due: Annotated[str, AfterValidator(_due)] = ""
    users: int = Field(ge=1, le=MAX_USERS)
    connections: int = Field(ge=0, le=MAX_USERS)
    requests: Rate = Field(gt=0, le=MAX_RATE_PER_S)
    api_servers: Annotated[ApiServers, _NUMBER] | None = None
    database: Database | None = None
    cache: Cache | None = None
    load_balancer: Words | None = None
    cdn: Words | None = None
    queue: Annotated[list[Words], BeforeValidator(_one_or_more, json_schema_input_type=str | list[str])] = Field(
        default_factory=list
    )
    search: Words | None = None
    more: list[Words] = Field(default_factory=list)
    services: dict[ServiceName, Annotated[OtherService, _OTHER]] = Field(default_factory=dict)
    """Other ECS services of the cluster that it needs, each with its tasks, or its range and its own sentences."""
    warm_cache: Words | None = None
    """What `dbz scale apply` offers to warm: a file as configs/warmup.yaml, or `default`."""
    move_clubs: Words | None = None
    """The shards file by which `dbz scale apply` offers to carry out the plan of `dbz shard plan`."""

    @model_validator(mode="after")
    def _a_connection_belongs_to_a_user(self) -> Phase:
        if self.connections > self.users:
            raise ValueError(f"{self.connections} connections are more than its {self.users} users can hold")
        return self


class Scaling(Strict):
    """What is scaled, how far at once, how often and between which bounds. Durations are seconds."""

    cluster: Words = "dbz"
    """The ECS cluster of the API servers, by name or ARN."""
    service: Words = "api"
    """The ECS service of the API servers, by name or ARN."""
    priorities: dict[ServiceName, Priority] = Field(default_factory=dict)
    """Scaling priorities of services that are not to have those of `PRIORITIES`; any other service has `medium`."""
    cache_group: str = ""
    """The ElastiCache replication group; empty leaves the cache a manual step."""
    load_balancer: Annotated[str, AfterValidator(balancer_name)] = ""
    """The load balancer as CloudWatch calls it, `app/NAME/ID`, or its ARN; empty: the service's own."""
    target_group: Annotated[str, AfterValidator(group_name)] = ""
    """Its target group, `targetgroup/NAME/ID`, or its ARN; empty: the service's own."""
    autoscaler: Literal["native", "dbz"] = "native"
    """Who carries the conditions out: alarms and policies of AWS, or `dbz scale auto`."""
    step: int = Field(1, ge=1, le=100)
    """Tasks at once."""
    period: Duration = Field(Parsed(60), ge=1, le=3600)
    """The conditions are looked at once in this time."""
    cooldown_out: Duration = Field(Parsed(180), ge=0, le=86_400)
    """Rest between two steps out."""
    cooldown_in: Duration = Field(Parsed(900), ge=0, le=86_400)
    """Rest before a step in, counted from the last step of either kind."""
    data_age: Duration = Field(Parsed(300), ge=1, le=3600)
    """`dbz scale auto` decides nothing on a newest datapoint that is older."""
    no_data_after: Duration = Field(Parsed(900), ge=0, le=86_400)
    """Without data about CPU, memory or connections for so long `dbz scale auto` ends with 3; 0: never."""
    bounds: ApiServers = Field(default_factory=lambda: ApiServers(min=1, max=20))
    """Never fewer, never more, whatever a phase says."""
    connections_per_server: int = Field(250, ge=1, le=MAX_USERS)
    """100 % of "capacity"."""
    memory_per_server: Size = Field(1024**3, ge=1024**2)
    """Bytes that are 100 % of memory, where `dbz scale auto --metrics` reads it from the servers themselves."""
    lease_table: str = ""
    """A DynamoDB table that keeps the dbz of several machines apart; empty: of this machine only."""
    lease_time: Duration = Field(Parsed(30), ge=1, le=600)
    """One that was silent for so long is taken for gone."""

    @property
    def main(self) -> str:
        """The name of the service of the API servers."""
        return self.service.rsplit("/", 1)[-1]

    def priority(self, service: str) -> Priority:
        """The scaling priority of a service. The API servers are what everybody goes through: `high`."""
        said = self.priorities.get(service) or PRIORITIES.get(service)
        return said or ("high" if service == self.main else _OTHERS)


class Prices(Strict):
    """What things cost a month, in the user's own currency: a hint in plans, nothing else."""

    currency: Words = "USD"
    api_server: float | None = Field(None, ge=0)
    services: dict[ServiceName, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """A task of each of these services; of any other one it is that of an API server."""
    cache_node: float | None = Field(None, ge=0)
    database: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)

    def of_task(self, service: str) -> float | None:
        """What a task of a service costs; None when there is no price for it."""
        return self.services.get(service, self.api_server)


class Phases(Strict):
    """All phases, in the order in which they are to be reached, and the conditions for scaling."""

    schema_: Literal["dbz.phases/1"] = Field(alias="schema")
    phases: list[Phase] = Field(min_length=1)
    scale_out_when_any: list[Sentence] = Field(default_factory=list)
    scale_in_when_all: list[Sentence] = Field(default_factory=list)
    target_tracking: list[TrackedSentence] = Field(default_factory=list)
    scaling: Scaling = Field(default_factory=Scaling)
    prices: Prices = Field(default_factory=Prices)

    @property
    def names(self) -> list[str]:
        """The phases' names in order."""
        return [one.name for one in self.phases]

    def phase(self, name: str) -> Phase:
        """The phase of that name; `UsageError` names the nearest one when there is none."""
        found = next((one for one in self.phases if one.name == name), None)
        if found is not None:
            return found
        suggestion = did_you_mean(name, self.names)
        raise UsageError(f"unknown phase '{name}'{suggestion} (known: {', '.join(self.names)})", code="E011")

    def whole_phase(self, name: str) -> Phase:
        """The phase of that name with what the phases before it have added and it says nothing about.

        Queues, services and `more` add up; the rest is what was said last. `null` or an empty list takes an entry away.
        """
        last = self.phase(name)
        reached = self.phases[: self.names.index(name) + 1]
        single = {key: _said_last(reached, key) for key in _LASTING}
        services = {name: servers for one in reached for name, servers in one.services.items()}
        lists = {key: _added_up(reached, key) for key in ("queue", "more")}
        return last.model_copy(update={**single, "database": _database(reached), "services": services, **lists})


_LASTING = ("cache", "load_balancer", "cdn", "search", "warm_cache", "move_clubs")
"""Entries of a phase that stay until a later one says otherwise."""


def _said_last(phases: Sequence[Phase], key: str) -> Any:
    return next((getattr(one, key) for one in reversed(phases) if key in one.model_fields_set), None)


def _added_up(phases: Sequence[Phase], key: str) -> list[str]:
    found: list[str] = []
    for one in phases:
        said: list[str] = getattr(one, key)
        if key in one.model_fields_set and not said:
            found.clear()
        found += [text for text in said if text not in found]
    return found


def _database(phases: Sequence[Phase]) -> Database | None:
    """What was said last, with the cluster's name where only an earlier phase has it."""
    last: Database | None = _said_last(phases, "database")
    if last is None or last.cluster:
        return last
    earlier = [one.database for one in phases if one.database and one.database.service == last.service]
    return last.model_copy(update={"cluster": next((one.cluster for one in reversed(earlier) if one.cluster), "")})
