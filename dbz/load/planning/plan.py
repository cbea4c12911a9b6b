"""From what the user names (a profile, a URL, a Locust file) to a plan, with everything checked that can be."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dbz.config import bundled
from dbz.config.budgets import load_budgets
from dbz.config.load.arrivals import ARRIVALS_AHEAD_S, summary_of
from dbz.config.load.profile import MAX_WORKERS, Profile, is_bundled, load_profile, override
from dbz.config.source.model import Parsed
from dbz.config.source.source import expanded_text, not_set
from dbz.errors import UsageError
from dbz.extras import GENERATOR, need
from dbz.hosts import is_loopback
from dbz.load.locust_file import LocustFile, look_into
from dbz.load.pages.browser import find_browser
from dbz.load.pages.reach import check_page_hosts, pages_to_open
from dbz.load.spec import AdHocRequest
from dbz.load.target.allowed_hosts import check_host, check_target
from dbz.masking import masked_url
from dbz.measure.budget.budgets import Budget, Severity, parse_budget
from dbz.measure.budget.by_page import for_pages

if TYPE_CHECKING:
    from dbz.runs.compare.baseline import Baseline

_LOG = logging.getLogger(__name__)

DEFAULT_PROFILE = "mixed"
URL_BUDGETS = "answers"
"""By which a URL is judged when nobody says otherwise."""


@dataclass(frozen=True)
class LoadRequest:
    """What the user asked for."""

    subject: str = DEFAULT_PROFILE
    """The name or path of a profile, a URL, or a Locust file."""
    target: str = ""
    """The base URL of `--target`; empty when none was given."""
    embedded: bool = False
    """Whether `--embedded` asks for the demo stack, which only bundled profiles get unasked."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Profile keys with the texts or numbers of the options given."""
    allowed_targets: Sequence[str] = ()
    """Hosts beside this machine that may be loaded."""
    method: str = "GET"
    """Like `headers` ("Name: value") and `body`: of the request that users repeat when the subject is a URL."""
    headers: Sequence[str] = ()
    body: str = ""
    opens_pages: bool = False
    """Whether what is planned opens the pages of the profile in a browser; otherwise they are left out."""
    master_host: str = "127.0.0.1"
    master_port: int = 0
    """Where workers join from elsewhere; 0 when they are started here."""


@dataclass(frozen=True)
class LoadPlan:
    """What to load, with what, judged by which budgets."""

    profile: Profile
    target: str
    """The base URL; empty for the embedded stack, which gets its address when it is up."""
    scenario: str
    """The path of a file with user classes; empty for an ad-hoc request."""
    budgets: Sequence[Budget]
    embedded: bool = False
    """Whether dbz starts the stack that is loaded."""
    allowed_targets: Sequence[str] = ()
    """Hosts beside the target and this machine that the scenario may reach."""
    whole_shape: bool = False
    """Whether the load shape of a Locust file says when the run ends."""
    hosts: Sequence[str] = ()
    """Base URLs that the user classes of a Locust file name themselves; empty when all of them load `target`."""
    request: AdHocRequest | None = None
    baseline: Baseline | None = None
    """What the run is compared with when it has ended."""
    master_host: str = "127.0.0.1"
    master_port: int = 0
    """Not 0: the workers are not started here but join there, and the run begins when the profile's number has."""

    @property
    def base_url(self) -> str:
        """Below which the target's health probe and metrics are: of a load of one URL, the root of its server."""
        parts = urlsplit(self.target)
        return f"{parts.scheme}://{parts.netloc}" if self.request is not None else self.target

    @property
    def planned_s(self) -> float:
        """How long the run lasts when all goes well."""
        return self.profile.warmup + self.profile.length_s


def plan_load(request: LoadRequest) -> LoadPlan:
    """The plan of a load; `UsageError` or `ConfigError` for the first thing that cannot be right.

    The embedded stack is for the bundled profiles, or for whoever asks for it: a load of the user's own that names no
    target would otherwise be a load on the wrong server. `${NAME}` in a URL or a header is a variable of the
    environment: what stands on the command line every user of the machine can read. With a `master_port` the workers
    join from elsewhere. `DependencyError` when the packages of the load generator are not installed.
    """
    need("the load generator", GENERATOR, "load")
    plan = _plan_subject(
        replace(
            request,
            subject=_expanded("the URL", request.subject) if "://" in request.subject else request.subject,
            target=_expanded("--target", request.target),
            headers=[_expanded("-H", header) for header in request.headers],
            overrides=_places_expanded(request.overrides),
        )
    )
    if plan.profile.arrivals:
        if request.master_port:
            raise UsageError(
                "recorded arrivals are in a file of this machine: workers of others cannot read it", code="E003"
            )
        length_s = summary_of(plan.profile.arrivals).length_s / plan.profile.speed
        if "speed" in request.overrides and "duration" not in request.overrides:
            keys = {"duration": Parsed(math.ceil(length_s) + ARRIVALS_AHEAD_S)}
            plan = replace(plan, profile=override(plan.profile, keys))
    if plan.profile.workers is None:
        fitting = 1 if request.master_port else fitting_workers(plan.target, plan.profile.users, os.cpu_count() or 1)
        plan = replace(plan, profile=override(plan.profile, {"workers": fitting}))
    allowed = (*plan.profile.allowed_targets, *request.allowed_targets)
    plan = _with_pages(plan, request, allowed)
    return replace(plan, allowed_targets=allowed, master_host=request.master_host, master_port=request.master_port)


def _with_pages(plan: LoadPlan, request: LoadRequest, allowed: Sequence[str]) -> LoadPlan:
    """The plan with its budgets for each page that a browser opens; `DependencyError` when there is no browser.

    A URL that is judged by what nobody chose is judged by its pages too: they must be answered as it must.
    """
    pages = plan.profile.pages
    if not (pages and request.opens_pages):
        return replace(plan, profile=plan.profile.model_copy(update={"pages": []}))
    check_page_hosts(pages, allowed)
    if plan.target:
        pages_to_open(pages, plan.base_url)
    find_browser()
    budgets = list(plan.budgets)
    if plan.request is not None and "budgets" not in request.overrides:
        budgets.append(parse_budget("page_error_rate", "page", "error_rate", "< 0.1%"))
    return replace(plan, budgets=for_pages(budgets, [page.name for page in pages]))


def fitting_workers(target: str, users: int, cores: int) -> int:
    """How many generator processes fit the cores; a server on this machine, or the embedded one, needs half of them."""
    shared = not target or is_loopback(urlsplit(target).hostname or "")
    return max(1, min(cores // 2 if shared else cores, users, MAX_WORKERS))


def _expanded(option: str, text: str) -> str:
    expanded, missing = expanded_text(text)
    if missing:
        raise UsageError(f"{option}: {not_set(missing[0])}", hint="set it, or write the value itself", code="E010")
    return expanded


def _places_expanded(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The overrides with variables in the places of pages, health and metrics replaced: URLs may hold passwords."""
    places: dict[str, Any] = {}
    if "pages" in overrides:
        places["pages"] = [{"url": _expanded("--page", page["url"])} for page in overrides["pages"]]
    if "health" in overrides:
        places["health"] = _expanded("--health", overrides["health"])
    if "metrics" in overrides:
        places["metrics"] = {"url": [_expanded("--metrics-url", url) for url in overrides["metrics"]["url"]]}
    return {**overrides, **places}


def _plan_subject(request: LoadRequest) -> LoadPlan:
    if "://" in request.subject:
        return _plan_url(request)
    if any((request.method != "GET", request.headers, request.body)):
        raise UsageError("-X, -H and -d are for loading a URL; a scenario sends its own requests", code="E003")
    if request.subject.endswith(".py"):
        return _plan_file(request)
    profile = load_profile(request.subject, request.overrides)
    scenario = bundled.resolve("scenario", profile.scenario, "scenarios", ".py")
    unasked = is_bundled(request.subject)
    return _plan(profile, request, scenario, _look_into(scenario, profile, request), unasked=unasked)


def _plan_url(request: LoadRequest) -> LoadPlan:
    base = {"name": "url", "scenario": "request", "budgets": URL_BUDGETS, "duration": Parsed(10), "warmup": Parsed(1)}
    # In the open model users only wait for arrivals: there must be enough for a slow server, and idle ones cost little.
    users = 10 if "rate" not in request.overrides else 500
    profile = override(_profile(users=users, **base), request.overrides)
    adhoc = AdHocRequest(request.subject, request.method.upper(), _headers(request.headers), request.body)
    target = check_target(request.subject, [*profile.allowed_targets, *request.allowed_targets])
    return LoadPlan(profile, target, "", load_budgets(profile.budgets), request=adhoc)


def _plan_file(request: LoadRequest) -> LoadPlan:
    path = bundled.resolve("Locust", request.subject, "scenarios", ".py")
    base = override(_profile(name=path.stem, scenario=str(path), users=10, budgets="service"), request.overrides)
    file = _look_into(path, base, request)
    if file is None or not file.has_shape:
        plan = _plan(base, request, path, file)
    else:
        whole = file.shape_s is not None and "duration" not in request.overrides
        plan = _plan(override(base, {**_shaped(file), **request.overrides}), request, path, file)
        plan = replace(plan, whole_shape=whole)
    return plan if "budgets" in request.overrides else replace(plan, budgets=_unasked(plan.budgets))


_OF_THE_MACHINE = ("server.cpu", "server.memory")


def _unasked(budgets: Sequence[Budget]) -> list[Budget]:
    """Budgets that nobody asked for: how much of its machine a server of the user's own may take is not ours to say,
    so that those limits only warn."""
    return [
        replace(budget, severity=Severity.WARN, terms={**budget.terms, "severity": Severity.WARN.value})
        if budget.of.metric.name in _OF_THE_MACHINE
        else budget
        for budget in budgets
    ]


def _shaped(file: LocustFile) -> dict[str, Any]:
    """The profile keys that a load shape decides, unless the user does: it is run whole, from its first user on."""
    keys: dict[str, Any] = {"warmup": Parsed(0.0)}
    if file.shape_s is not None:
        keys["duration"] = Parsed(max(file.shape_s, 1.0))
    if file.shape_users:
        keys["users"] = file.shape_users
    return keys


def _look_into(path: Path, profile: Profile, request: LoadRequest) -> LocustFile | None:
    """What a scenario of the user's own says of itself; None for a bundled one."""
    if path.parent == bundled.bundled_folder("scenarios"):
        return None
    return look_into(path, [*profile.allowed_targets, *request.allowed_targets])


def _plan(
    profile: Profile, request: LoadRequest, scenario: Path, file: LocustFile | None, *, unasked: bool = False
) -> LoadPlan:
    """The target that the user names goes before Locust's configuration, and that before what the classes name.

    `unasked` says whether the embedded stack is what this load is for.
    """
    budgets = load_budgets(profile.budgets)
    if request.embedded:
        if request.target:
            raise UsageError(
                "--embedded loads the demo stack, and --target another server; leave one of them out", code="E003"
            )
        return LoadPlan(profile, "", str(scenario), budgets, embedded=True)
    allowed = [*profile.allowed_targets, *request.allowed_targets]
    target = request.target or profile.target or (file.host if file else "")
    if target:
        if request.overrides.get("stack"):
            raise UsageError(
                f"--services are those of the backend that dbz starts, but there is a target: {masked_url(target)}",
                hint="leave one of them out; dbz serve --services apart starts them for any target",
                code="E003",
            )
        if profile.stack.faults:
            raise UsageError(
                f"faults strike the backend that dbz starts, but there is a target: {masked_url(target)}",
                hint="leave 'faults' out; dbz serve --services apart --faults strikes on request: docs/server.md",
                code="E003",
            )
        target, hosts = check_target(target, allowed), []
    else:
        hosts = [check_host(host, allowed) for host in file.hosts] if file else []
        # Probes and metrics are asked of one server: the first that speaks HTTP.
        target = next((host for host in hosts if host.startswith("http")), hosts[0] if hosts else "")
    if not (target or unasked):
        raise UsageError(
            f"{request.subject} names no target, and dbz loads its own demo stack only when asked to",
            hint="--target URL, or 'target:' in a profile, or 'host' in a Locust file; --embedded for the demo stack",
            code="L004",
        )
    if not target:
        _LOG.info("no target is named, and a bundled profile is for the demo stack: it is started")
    return LoadPlan(profile, target, str(scenario), budgets, embedded=not target, hosts=tuple(hosts))


def _profile(**values: Any) -> Profile:
    return Profile.model_validate({"schema": "dbz.profile/1", **values})


def _headers(lines: Sequence[str]) -> dict[str, str]:
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip() or "\n" in line or "\r" in line:
            raise UsageError(
                f"-H '{line}' is not a header; write for example -H 'Accept: application/json'", code="E002"
            )
        headers[name.strip()] = value.strip()
    return headers
