"""The logs of AWS's load balancers: fields between spaces, as AWS documents them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from dbz.bring.files.logs.line import LogLine, said, time_s, without_port
from dbz.bring.recording import Exchange

_QUOTED_OR_NOT = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
_KINDS = ("http", "https", "h2", "grpcs", "ws", "wss")
"""What a line of an Application Load Balancer begins with."""


class _Places(NamedTuple):
    """Where in a line the fields stand."""

    time: int
    client: int
    waits: int
    """The first of three durations in seconds; -1 is one that was not."""
    status: int
    request: int
    agent: int
    time_is_of_answer: bool
    """A Classic Load Balancer writes when the request came, an Application Load Balancer when it was answered."""


_APPLICATION = _Places(1, 3, 5, 8, 12, 13, time_is_of_answer=True)
_CLASSIC = _Places(0, 2, 4, 7, 11, 12, time_is_of_answer=False)
_CLASSIC_LINE = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z \S+ \S+:\d+ (?:\S+:\d+|-) (?:-?[\d.]+ ){3}")


def is_balancer(line: str) -> bool:
    """Whether a line begins like one of a load balancer."""
    return line.split(" ", 1)[0] in _KINDS or bool(_CLASSIC_LINE.match(line))


def balancer_line(line: str) -> LogLine | None:
    """The request of a line; None when it has too few fields."""
    fields = [quoted or plain for quoted, plain in _QUOTED_OR_NOT.findall(line)]
    places = _APPLICATION if fields[0] in _KINDS else _CLASSIC
    return _line(fields, places) if len(fields) > places.request else None


def _line(fields: Sequence[str], places: _Places) -> LogLine:
    method, url, *_ = fields[places.request].split(" ")
    duration_s = sum(wait for text in fields[places.waits : places.waits + 3] if (wait := float(text)) > 0)
    exchange = Exchange(
        method,
        url,
        status=int(fields[places.status]) if fields[places.status].isdigit() else 0,
        started_s=time_s(fields[places.time]) - (duration_s if places.time_is_of_answer else 0.0),
        duration_s=duration_s,
        source=without_port(fields[places.client]),
    )
    return LogLine(exchange, agent=said(fields[places.agent]) if len(fields) > places.agent else "")
