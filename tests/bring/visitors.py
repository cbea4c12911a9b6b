"""Access logs of visitors whose behaviour is known: what is learnt from them can be held against it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from dbz.measure.behaviour.chain import END, Behaviour, Screen
from dbz.measure.behaviour.think_time import evenly

FIRST_S = 1_790_000_000.0
KNOWN = Behaviour(
    {"GET /": 0.7, "GET /posts": 0.3},
    {
        "GET /": Screen(evenly(0.02, 0.08), {"GET /posts": 0.6, "GET /search": 0.25, END: 0.15}),
        "GET /posts": Screen(
            evenly(0.04, 0.2), {"GET /posts/{id}": 0.55, "GET /posts": 0.15, "GET /search": 0.1, END: 0.2}
        ),
        "GET /posts/{id}": Screen(evenly(0.1, 0.3), {"GET /posts": 0.4, "DELETE /likes/{id}": 0.2, END: 0.4}),
        "GET /search": Screen(evenly(0.02, 0.15), {"GET /posts/{id}": 0.7, "GET /search": 0.2, END: 0.1}),
        "DELETE /likes/{id}": Screen(evenly(0.01, 0.05), {"GET /posts": 0.8, END: 0.2}),
    },
)
SECRET = "s3cr3t-of-somebody"


class Call(NamedTuple):
    """One request of a log."""

    at_s: float
    visitor: int
    method: str
    url: str


def calls(behaviour: Behaviour, visits: int, per_s: float, seed: int = 1, slower: float = 1.0) -> list[Call]:
    """What so many visitors ask, of whom so many come each second, in the order of their times."""
    numbers, begin_s, found = random.Random(seed), FIRST_S, []
    for visitor in range(visits):
        begin_s += numbers.expovariate(per_s)
        at_s, screen = begin_s, behaviour.begin(numbers)
        while not behaviour.ends(screen):
            method, path = screen.split(" ")
            url = path.replace("{id}", str(numbers.randint(1, 3000)))
            query = {"/search": f"?q=x&token={SECRET}", "/posts": f"?page={numbers.randint(1, 3)}"}.get(path, "")
            found.append(Call(round(at_s, 3), visitor, method, url + query))
            at_s += behaviour.think_s(screen, numbers) * slower
            screen = behaviour.after(screen, numbers)
    return sorted(found)


def _address(visitor: int) -> str:
    return f"10.{visitor // 65536}.{visitor // 256 % 256}.{visitor % 256}"


def _common_time(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")


def as_json(made: Iterable[Call]) -> Iterator[str]:
    """JSON lines, of no service in particular."""
    for one in made:
        line = {"time": one.at_s, "method": one.method, "path": one.url, "status": 200}
        yield json.dumps({**line, "remote_addr": _address(one.visitor), "user_agent": "app/1"})


def as_common(made: Iterable[Call]) -> Iterator[str]:
    """The common format, with a name for each visitor, who all come from one address."""
    for one in made:
        yield (
            f'192.0.2.1 - user-{one.visitor} [{_common_time(one.at_s)}] "{one.method} {one.url} HTTP/1.1" 200 17'
        )  # fmt: skip


def as_combined(made: Iterable[Call]) -> Iterator[str]:
    """The combined format: visitors of one address differ in their programs."""
    for one in made:
        yield (
            f'192.0.2.{one.visitor % 2} - - [{_common_time(one.at_s)}] "{one.method} {one.url} HTTP/1.1" 200 17 '
            f'"-" "Browser \\"{one.visitor}\\" (X11)"'
        )


def as_alb(made: Iterable[Call]) -> Iterator[str]:
    """Logs of AWS's load balancers, which have the time of the answer: 0.1 s after the request."""
    for one in made:
        time = datetime.fromtimestamp(one.at_s + 0.1, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        yield (
            f"https {time} app/lb/1 {_address(one.visitor)}:2817 10.0.0.1:80 0.000 0.100 0.000 200 200 0 57 "
            f'"{one.method} https://www.example.com:443{one.url} HTTP/1.1" "app/1" ECDHE TLSv1.2 arn "Root=1" "w" "a" '
            '0 t "f" "-" "-"'
        )
