"""An access log played again: each request at its recorded time, whatever becomes of others (the open model)."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from dbz.bring import names
from dbz.bring.choosing import Choice, wanted
from dbz.bring.recording import Exchange, Recording
from dbz.bring.values import comment, docstring
from dbz.config.load.arrivals import ARRIVALS_AHEAD_S, arrivals_text
from dbz.errors import UsageError
from dbz.masking import MASK, masked_name, written_url
from dbz.units import format_duration

_WITH_BODY = ("POST", "PUT", "PATCH")
_FEWEST_USERS, _MOST_USERS = 20, 1000
SCENARIO = '''\
{about}

from dbz.users import HttpUser, task


class ReplayUser(HttpUser):
    """Makes the request whose time has come."""

    @task
    def call(self):
        """One line of the log; what was refused, such as a path that is not there, may be refused again."""
        line = self.arrival
        with self.client.request(line["method"], line["path"], name=line["name"], catch_response=True) as answer:
            if answer.status_code == line["status"]:
                answer.success()
'''


@dataclass(frozen=True)
class Replay:
    """What is written for a log that is to be played again."""

    scenario: str
    profile: str
    arrivals: str
    count: int
    length_s: float
    """At the speed that was asked for."""
    target: str
    notes: Sequence[str]


def replay_of(recording: Recording, choice: Choice, about: str, stem: str, speed: float) -> Replay:
    """The replay of a log; its files are called after `stem`. `UsageError` when the material has no times."""
    if recording.recorded:
        raise UsageError("--replay is for access logs: a recorded session keeps its pauses anyway", code="E003")
    exchanges, origin, notes = wanted(recording, choice)
    replayed = [one for one in exchanges if one.method not in _WITH_BODY]
    if len(replayed) < len(exchanges):
        notes.append(f"{len(exchanges) - len(replayed)} requests with bodies are left out: a log does not keep these")
    if not all(one.started_s for one in exchanges):
        raise UsageError(f"{about}: its requests have no times, so they cannot be played again", code="B004")
    if not replayed:
        raise UsageError(f"{about}: nothing is left to be played again", hint="--statics", code="B004")
    if all(one.started_s == int(one.started_s) for one in replayed):
        notes.append("the log has whole seconds: requests of one second are spread evenly over it")
        replayed = _spread(replayed)
    replayed.sort(key=lambda one: one.started_s)
    rows = _rows(replayed)
    if hidden := sum(MASK in row["path"] for row in rows):
        notes.append(f"{hidden} requests have {MASK} for what their parameters call secret")
    target = choice.target or origin or recording.origin
    length_s = rows[-1]["at_s"] / speed
    made_from = docstring(f"Made from {about} by dbz import --replay: each request at its recorded time.")
    return Replay(
        SCENARIO.format(about=made_from), _profile(stem, target, rows, length_s, speed), arrivals_text(rows), len(rows),
        length_s, target, [*recording.notes, *notes],
    )  # fmt: skip


def _spread(exchanges: Sequence[Exchange]) -> list[Exchange]:
    """The exchanges with those of the same second evenly within it, in their order."""
    counts = Counter(one.started_s for one in exchanges)
    numbers: defaultdict[float, int] = defaultdict(int)
    spread = []
    for one in exchanges:
        spread.append(replace(one, started_s=one.started_s + numbers[one.started_s] / counts[one.started_s]))
        numbers[one.started_s] += 1
    return spread


def _rows(exchanges: Sequence[Exchange]) -> list[dict[str, Any]]:
    templates = names.PathTemplates(one.path for one in exchanges)
    first_s = exchanges[0].started_s
    rows = []
    for one in exchanges:
        query = urlsplit(one.url).query
        rows.append({
            "at_s": round(one.started_s - first_s, 6), "method": one.method,
            "path": masked_name(one.path + (f"?{query}" if query else "")), "name": templates.of(one.path),
            "status": 0 if one.failed else one.status,
        })  # fmt: skip
    return rows


def _profile(stem: str, target: str, rows: Sequence[dict[str, Any]], length_s: float, speed: float) -> str:
    from dbz.bring.project.texts import scalar

    busiest = max(Counter(int(row["at_s"] / speed) for row in rows).values())
    users = min(max(2 * busiest, _FEWEST_USERS), _MOST_USERS)
    duration = math.ceil(length_s) + ARRIVALS_AHEAD_S
    lines = [
        comment(f"{len(rows)} requests of a log, each at its time; `dbz load {stem}.yaml` plays and judges them."),
        "schema: dbz.profile/1",
        f"name: {scalar(stem[:60])}",
        *([f"target: {scalar(written_url(target))}"] if target else []),
        f"scenario: {scalar(f'{stem}.py')}",
        f"arrivals: {scalar(f'{stem}.jsonl')}",
        f"speed: {speed:g}   # 2: in half the time",
        f"users: {users}   # who are there to make them: more than are ever waiting for an answer",
        f"duration: {format_duration(duration).replace(' ', '')}   # at this speed",
        "warmup: 2s",
        "budgets: answers   # bundled: failures and uptime; limits of your own in a file: docs/budgets.md",
    ]
    return "\n".join(lines) + "\n"
