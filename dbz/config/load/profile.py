"""The load profile, schema `dbz.profile/1`: which users, how many, how fast, for how long."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from dbz.config import bundled
from dbz.config.load.faults import parse_fault
from dbz.config.load.metrics import Place, TargetMetrics
from dbz.config.load.networks import NetworkShares, NetworkTerms, check_shares
from dbz.config.load.pages import MOST_PAGES, Page, check_pages, plain_pages
from dbz.config.source.model import Duration, Parsed, Rate, Strict, build
from dbz.config.source.source import YamlSource, expanded, read_yaml
from dbz.masking import masked_url
from dbz.units import parse_rate

FOLDER = "configs/profiles"
SERVICE_HEADER = "x-service"
MAX_USERS = 100_000
MAX_WORKERS = 64
MAX_RATE_PER_S = 1_000_000.0
MAX_DURATION_S = 7 * 86_400.0


def _fault(text: str) -> str:
    parse_fault(text)
    return text


class StackProfile(Strict):
    """What the embedded stack is started with when no target is named."""

    clubs: int = Field(3, ge=1, le=100)
    """Clubs with members, posts, games and a chat room."""
    policy: Literal["tuned", "plan"] = "tuned"
    """How chat and scores are flushed: `tuned`, or as the app's plan has it, which breaks its own budgets."""
    processes: int = Field(1, ge=1, le=16)
    """Server processes that share the port."""
    services: str = ""
    """Every service in processes of its own behind a gateway, as `dbz serve --services` takes it: `apart`, or
    `chat=2,gateway=2`; empty: one server is all of them."""
    faults: list[Annotated[str, AfterValidator(_fault)]] = Field(default_factory=list)
    """What strikes one service, and when in the judged part: `game slow 300ms at 10s for 5s`, `chat errors 20% at 10s`,
    `auth kill at 10s`. Only with `services`."""

    @model_validator(mode="after")
    def _processes_of_one_server(self) -> StackProfile:
        if self.services and self.processes > 1:
            raise ValueError("'services' say how many processes each has (gateway=2,game=2); leave 'processes' out")
        if self.faults and not self.services:
            raise ValueError("'faults' strike one service: they need 'services: apart'")
        return self


def _target(value: object) -> object:
    """A stage's target: a rate when it is text, users when it is a number."""
    return parse_rate(value) if isinstance(value, str) else value


class StageEntry(Strict):
    """A linear change to `to` (users, or arrivals a second) within `over` seconds; to the same value it is a hold."""

    to: Annotated[float, BeforeValidator(_target, json_schema_input_type=float | str)] = Field(ge=0, le=MAX_RATE_PER_S)
    """Users as a number, or with a `rate` arrivals as one, like `200/s`."""
    over: Duration = Field(ge=0, le=MAX_DURATION_S)
    """How long the change takes."""


class Profile(Strict):
    """One load profile. Durations are seconds, rates are a second."""

    schema_: Literal["dbz.profile/1"] = Field(alias="schema")
    """What kind of file this is."""
    name: str = Field(min_length=1, max_length=60)
    """What the run is called in reports."""
    about: str = ""
    """A sentence for readers; it changes nothing."""
    target: str = ""
    """The base URL to load when the command line names none; empty for none."""
    scenario: str
    """A bundled scenario, or the path of a Locust file."""
    users: int = Field(ge=1, le=MAX_USERS)
    """Held at the same time; with a `rate`, how many are there to take the arrivals."""
    connections: int | None = Field(None, ge=0, le=MAX_USERS)
    """How many of the users hold a Socket.IO connection; without it, as the scenario says."""
    requests: Rate | None = Field(None, gt=0, le=MAX_RATE_PER_S)
    """At which rate the users without a connection make HTTP requests together; without it, as the scenario
    says."""
    rate: Rate | None = Field(None, gt=0, le=MAX_RATE_PER_S)
    """Arrivals a second: the open model, in which tasks begin at arrivals. Without it: the closed one, in which
    each user goes on when it is ready, or every `pacing` seconds."""
    arrivals: str = ""
    """A file of recorded arrivals, like `dbz import --replay` writes: tasks begin at these, in the open model."""
    speed: float = Field(1.0, gt=0, le=1000)
    """How many times as fast as recorded the arrivals come."""
    spacing: Literal["even", "poisson"] = "even"
    """How far apart arrivals are."""
    open_users: list[str] = Field(default_factory=list)
    """User classes that take arrivals, the others being closed; empty for all of them."""
    tags: list[str] = Field(default_factory=list)
    """Only tasks with one of these tags are done (Locust's `@tag`); empty for all tasks."""
    exclude_tags: list[str] = Field(default_factory=list)
    """Tasks with one of these tags are not done."""
    pacing: Duration | None = Field(None, gt=0, le=3600)
    """In the closed model: a user begins a task every so often; without it, when it is ready."""
    stages: list[StageEntry] = Field(default_factory=list)
    """How the rate, or the users, change during the judged part."""
    shape: Literal["spike", "soak", "staircase"] | None = None
    """A short name for stages that everybody needs."""
    duration: Duration = Field(Parsed(60), ge=1, le=MAX_DURATION_S)
    """The judged part."""
    warmup: Duration = Field(Parsed(10), ge=0, le=3600)
    """Before the judged part."""
    seed: int = Field(1, ge=0, lt=2**32)
    """The same seed gives the same users, texts and pauses."""
    workers: int | None = Field(None, ge=1, le=MAX_WORKERS)
    """The load generator's processes; without it, as many as fit the cores."""
    without: list[str] = Field(default_factory=list)
    """What the users' app does not take care of, of what the scenario knows: the app `phone` knows `debounce`, `etag`,
    `images`, `window` and `cache`."""
    network: NetworkShares = Field(default_factory=dict)
    """Which share of the users is on which network: those of docs/networks.md, `direct` for this machine's, and those
    below `networks`. Without it, all are on this machine's."""
    networks: dict[str, NetworkTerms] = Field(default_factory=dict, max_length=50)
    """Networks of your own, by name."""
    pages: list[Page] = Field(default_factory=list, max_length=MOST_PAGES)
    """Pages that a real browser opens while the load runs, each as a URL, a path below the target, or a mapping."""
    page_every: Duration = Field(Parsed(5), ge=1, le=3600)
    """How often each of the pages is opened."""
    lost_workers: int = Field(0, ge=0, lt=MAX_WORKERS)
    """A run that lost more of them is invalid."""
    budgets: str = "default"
    """Bundled budgets, or the path of a budgets file."""
    allowed_targets: list[str] = Field(default_factory=list)
    """Hosts beside this machine that may be loaded."""
    health: Place | None = None
    """What is asked each second whether the target is up: a path below the target, or a URL. Without it `/healthz`,
    if there is one; a path that is named here must be there."""
    service_header: str = Field(SERVICE_HEADER, pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]*$", max_length=100)
    """The header field of answers that names the service which gave them, for figures and budgets by service; empty:
    do not look for one."""
    metrics: TargetMetrics = Field(default_factory=TargetMetrics)
    """Where the target tells its own figures."""
    stack: StackProfile = Field(default_factory=lambda: StackProfile.model_validate({}))
    """The embedded stack, for a load that has no target."""

    @model_validator(mode="after")
    def _enough_users_for_workers(self) -> Profile:
        if self.workers is not None and self.workers > self.users:
            raise ValueError(f"{self.workers} workers cannot share {self.users} user(s); allowed: at most one a user")
        return self

    @model_validator(mode="after")
    def _one_way_to_change_the_load(self) -> Profile:
        if self.stages and self.shape:
            raise ValueError("'stages' and 'shape' both say how the load changes; allowed: one of them")
        if self.stages and "duration" in self.model_fields_set and abs(self.duration - self.length_s) > 0.01:
            raise ValueError("'stages' already say how long the run is; leave 'duration' out")
        if self.open_users and self.rate is None and not self.arrivals:
            raise ValueError("'open_users' needs a 'rate', or 'arrivals', at which their tasks begin")
        return self

    @model_validator(mode="after")
    def _arrivals_alone_say_when(self) -> Profile:
        others = (self.rate, self.pacing, self.requests, self.shape, self.stages or None)
        if self.arrivals and any(other is not None for other in others):
            raise ValueError("'arrivals' already say when tasks begin; leave out rate, pacing, requests, shape, stages")
        if self.speed != 1 and not self.arrivals:
            raise ValueError("'speed' is that of recorded 'arrivals'")
        return self

    @model_validator(mode="after")
    def _networks_are_known(self) -> Profile:
        check_shares(self.network, self.networks)
        return self

    @model_validator(mode="after")
    def _pages_differ(self) -> Profile:
        check_pages(self.pages)
        return self

    @model_validator(mode="after")
    def _connections_and_requests_fit(self) -> Profile:
        if self.connections is not None and self.connections > self.users:
            raise ValueError(f"{self.users} users cannot hold {self.connections} 'connections'")
        if self.requests is not None and self.connections == self.users:
            raise ValueError("all users hold connections: nobody is left to make the 'requests'")
        if self.requests is not None and (self.rate is not None or self.pacing is not None):
            raise ValueError("'requests' already paces the users; leave out 'rate' and 'pacing'")
        if (self.stages or self.shape) and not (self.connections is None and self.requests is None):
            raise ValueError("'connections' and 'requests' are for a load that does not change")
        return self

    @property
    def length_s(self) -> float:
        """How long the judged part is planned to last."""
        return sum(stage.over for stage in self.stages) if self.stages else self.duration

    @property
    def plain(self) -> dict[str, Any]:
        """The profile as the plain data of `run.json`, which has the target beside it."""
        plain = {**self.model_dump(by_alias=True, exclude={"target"}), "duration": self.length_s}
        plain["health"] = masked_url(self.health) if self.health else None
        plain["metrics"] = {
            **self.metrics.model_dump(exclude_defaults=True),
            **({"url": [masked_url(url) for url in self.metrics.url]} if self.metrics.url else {}),
        }
        plain["pages"] = plain_pages(self.pages)
        if not self.pages:
            del plain["page_every"]
        # Loads without tags, recorded arrivals, networks or pages are the loads of runs that knew none.
        unset = {
            "tags": [],
            "exclude_tags": [],
            "arrivals": "",
            "speed": 1.0,
            "without": [],
            "network": {},
            "networks": {},
            "service_header": SERVICE_HEADER,
            "pages": [],
        }
        return {key: value for key, value in plain.items() if key not in unset or value != unset[key]}


def load_profile(name: str, overrides: Mapping[str, Any] | None = None) -> Profile:
    """A bundled profile or a YAML file, with values that the command line sets instead.

    `${NAME}` in its texts is a variable of the environment. Overrides are keyed as the file is; their problems are
    reported as the options (`--users`) they came from.
    """
    path = bundled.resolve("profile", name, FOLDER, ".yaml")
    source = expanded(read_yaml(path))
    profile = build(Profile, source)
    # Files that a profile names stand beside it, wherever dbz is run.
    named = {"scenario": profile.scenario, "budgets": profile.budgets, "arrivals": profile.arrivals}
    beside = {key: str((path.parent / name).resolve()) for key, name in named.items() if Path(name).suffix}
    return override(profile.model_copy(update=beside), overrides or {})


def is_bundled(name: str) -> bool:
    """Whether a name or path means a profile that ships with dbz."""
    return bundled.resolve("profile", name, FOLDER, ".yaml").parent == bundled.bundled_folder(FOLDER)


def override(profile: Profile, overrides: Mapping[str, Any]) -> Profile:
    """The profile with some values replaced by those of command-line options."""
    if not overrides:
        return profile
    metrics = {**profile.metrics.model_dump(), **overrides.get("metrics", {})}
    pages = {"pages": [page.model_dump() for page in profile.pages], "page_every": profile.page_every}
    plain = {**profile.plain, "target": profile.target, "health": profile.health, **pages}
    stack = {**profile.stack.model_dump(), **overrides.get("stack", {})}
    whole = {**_parsed(plain), **overrides, "metrics": _parsed(metrics), "stack": _parsed(stack)}
    return build(Profile, _OptionSource("command line", whole))


def _parsed(value: Any) -> Any:
    """Plain data of a valid profile, marked as being in base units already."""
    if isinstance(value, dict):
        return {key: _parsed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_parsed(item) for item in value]
    return Parsed(value) if isinstance(value, float) else value


class _OptionSource(YamlSource):
    """Names problems by the option that a key stands for."""

    def where(self, location: tuple[str | int, ...]) -> str:
        if not location:
            return "command line"
        if location[0] == "metrics":
            return f"--{'-'.join(map(str, location[:2]))}"
        return _OPTIONS.get(str(location[0]), f"--{location[0]}")


_OPTIONS = {"pages": "--page", "page_every": "--page-every"}
"""Options that are not called what their keys are."""
