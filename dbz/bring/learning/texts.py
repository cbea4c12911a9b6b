"""A learnt chain as YAML, in the form of `scenarios/phone.yaml`, and the profile of a load that follows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dbz.bring.project.texts import scalar
from dbz.bring.values import comment
from dbz.masking import written_url
from dbz.measure.behaviour.chain import Behaviour
from dbz.measure.behaviour.think_time import ThinkTime
from dbz.units import format_percent

_WHOLE_SECONDS_FROM_S = 1000


def behaviour_text(behaviour: Behaviour, about: Sequence[str]) -> str:
    """The YAML of a chain; `about` are the lines of its comment."""
    shares = behaviour.shares()
    lines = [
        "# yaml-language-server: $schema=behaviour.schema.json",
        "# Editors check this file with the line above, and `dbz schema behaviour > behaviour.schema.json` beside it.",
        *map(comment, about),
        "schema: dbz.behaviour/1",
        f"start: {_shares(behaviour.starts)}",
        f"between: {_pauses(behaviour.between)}   # from the end of a visit to the same user's next one",
        "screens:",
    ]
    for name, screen in behaviour.screens.items():
        lines.append(f"  {scalar(name)}:   # {format_percent(round(shares[name], 4))} of all requests")
        if screen.think.longest_s:
            lines.append(f"    think: {_pauses(screen.think)}")
        lines.append(f"    next: {_shares(screen.next)}")
    return "\n".join(lines) + "\n"


def _shares(shares: Mapping[str, float]) -> str:
    return "{" + ", ".join(f"{scalar(name)}: {_percent(share)}" for name, share in shares.items()) + "}"


def _percent(share: float) -> str:
    return f"{round(share * 100, 2):g}%"


def _pauses(think: ThinkTime) -> str:
    if len(think.quantiles) == 2:  # the shortest and the longest
        return f"[{_seconds(think.shortest_s)}, {_seconds(think.longest_s)}]"
    return "{" + ", ".join(f"{_percent(share)}: {_seconds(seconds)}" for share, seconds in think.quantiles) + "}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f}s" if seconds >= _WHOLE_SECONDS_FROM_S else f"{round(seconds, 4):.3g}s"


@dataclass(frozen=True)
class VisitLoad:
    """How much load the visitors of a log were."""

    users: int
    """As many were there at a time, on average."""
    busiest: float
    """How many times as many requests as on average there were in the busiest hour."""
    requests_per_s: float


def visits_profile(name: str, scenario: str, target: str, load: VisitLoad) -> str:
    """The profile of a load as large as the log's."""
    return "\n".join(_profile_lines(name, scenario, target, load)) + "\n"


def _profile_lines(name: str, scenario: str, target: str, load: VisitLoad) -> Iterator[str]:
    busiest = round(load.users * load.busiest)
    yield comment(
        f"The visitors of a log: `dbz load {name}.yaml` lets as many come, who do what those did, and judges it."
    )
    yield "schema: dbz.profile/1"
    yield f"name: {scalar(name[:60])}"
    if target:
        yield f"target: {scalar(written_url(target))}"
    yield f"scenario: {scalar(scenario)}"
    yield (
        f"users: {load.users}   # as many as the log had at a time, {load.requests_per_s:.3g} requests/s on average; "
        f"in its busiest hour {busiest}"
    )
    yield "duration: 60s"
    yield "warmup: 5s"
    yield "budgets: answers   # bundled: failures and uptime; limits of your own in a file: docs/budgets.md"
