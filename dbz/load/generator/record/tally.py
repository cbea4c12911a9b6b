"""What was measured of requests since the last second was written: counted with as little as possible for each.

For answers that were looked at when the first like them came: those over lanes, and those to plain requests.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import Protocol

from dbz.load.generator.http.answer.head import Head
from dbz.load.generator.http.answer.shape import HeadShape
from dbz.load.generator.http.request.plain import PlainRequest
from dbz.load.generator.record import under_way
from dbz.load.generator.record.answers import AnswerCosts
from dbz.load.generator.record.recorder import Recorder
from dbz.load.generator.record.services import AnsweringServices
from dbz.measure.latency.series import HTTP, SERVICE
from dbz.protocols.objections import said_by

_NO_ANSWER = b"\0"
"""What no answer begins with."""
_MOST_SHAPES = 4
"""So many kinds of heads of one operation are known; each costs as much as parsing some heads."""


class RequestCarrier(Protocol):
    """Has at most one request under way."""

    started_s: float
    """When the last one was sent, on the monotonic clock."""
    asked: bool
    """Whether it is under way."""


class RequestTally:
    """The successes of one operation, and the answer that its server gave last."""

    __slots__ = (
        *(
            "_heard",
            "_kind",
            "_services",
            "_shapes",
            "answer",
            "body_s",
            "bytes",
            "content_type",
            "elapsed_s",
            "head",
            "lanes",
        ),
        *("length", "operation", "path", "said", "saying", "service", "size", "successes"),
    )

    def __init__(self, operation: str, services: AnsweringServices) -> None:
        self.operation = operation
        self._services = services
        self.path = operation.partition(" ")[2]
        self.lanes: set[RequestCarrier] = set()
        """Who carries requests now."""
        self.head = b""
        """The head of the last plain answer, whose body needs no decoding: the next one has it too, most probably."""
        self.size = -1
        """The size of that answer in bytes, with its body."""
        self.length = 0
        """The size of its body."""
        self.content_type = ""
        """Its media type."""
        self.answer = _NO_ANSWER
        """All of it; none after counts were handed over, so that the next one is looked at."""
        self.saying = [0]
        """How many answers were of the kind of the last one; stands in `said`."""
        self._heard, self._kind = (_NO_ANSWER, ""), ("", "")
        self._shapes: list[HeadShape] = []
        self._begin()

    def _begin(self) -> None:
        self.successes: dict[int, int] = {}
        """How many requests took so many microseconds, from their intended starts on."""
        self.service: dict[int, int] = {}
        """Likewise from when they were sent, of paced ones."""
        self.elapsed_s = self.body_s = 0.0
        """Seconds of all answers together from sending on, and of these from the first byte to the last."""
        self.bytes = 0
        """The sizes of all bodies together."""
        self.said: dict[tuple[str, str], list[int]] = {}
        """How many answers had a kind of content, and said something against themselves, or nothing."""
        self.answer = _NO_ANSWER

    def names_service(self, head: Head) -> bool:
        """Whether a head says which service answered: those are counted one by one."""
        return bool(self._services.of_head(head, self.operation, failed=False))

    def fit(self, data: bytes) -> tuple[Head, int, int] | None:
        """A head that means the same as the one that `data` begins with, where that one ends, and the length of its
        body; None when it is to be parsed."""
        for shape in self._shapes:
            if found := shape.fit(data):
                return shape.head, *found
        return None

    def learn(self, raw: bytes, head: Head) -> None:
        """Know heads again that differ from a plain one only in what does not matter."""
        if len(self._shapes) < _MOST_SHAPES:
            with contextlib.suppress(ValueError):
                self._shapes.append(HeadShape(raw, head))

    def hear(self, answer: bytes, body: bytes, content_type: str) -> None:
        """Look at an answer that is not the same as the last one; whoever got it counts it by `saying`."""
        if (body, content_type) != self._heard:
            self._heard, self._kind = (body, content_type), said_by(body, content_type, self.path)
        self.saying = self.said.setdefault(self._kind, [0])
        self.answer = answer

    def pour(self, recorder: Recorder, answers: AnswerCosts) -> None:
        """Hand over what was counted, and begin anew."""
        if self.successes:
            recorder.successes(HTTP, self.operation, self.successes)
            recorder.successes(SERVICE, self.operation, self.service)
            answers.add_sums(self.operation, sum(self.successes.values()), self.elapsed_s, self.body_s, self.bytes)
            for (content, text), (times,) in self.said.items():
                recorder.objections.add_content(self.operation, content, times)
                if text:
                    recorder.objections.add(HTTP, self.operation, text, times)
            self._begin()

    def ages(self) -> list[tuple[str, float]]:
        """Operation and age in seconds of each request that is under way."""
        now_s = time.monotonic()
        return [(self.operation, now_s - lane.started_s) for lane in self.lanes if lane.asked]


class RequestTallies:
    """The tallies of one worker, by operation."""

    def __init__(self, services: AnsweringServices) -> None:
        self._services = services
        self._tallies: dict[str, RequestTally] = {}
        self.listeners: Sequence[object] = ()
        """Who hears of each single request, by Locust's event."""
        self.counting_listeners = 0
        """How many of them only count requests, as this does."""

    def __getitem__(self, operation: str) -> RequestTally:
        tally = self._tallies.get(operation)
        if tally is None:
            tally = self._tallies[operation] = RequestTally(operation, self._services)
            under_way.elsewhere.append(tally.ages)
        return tally

    def count(self, plain: PlainRequest, elapsed_s: float) -> bool:
        """Count a request whose answer was known before it came; False when it is to be recorded as others are."""
        if len(self.listeners) > self.counting_listeners:
            return False
        operation = plain.operation
        tally = self._tallies.get(operation) or self[operation]
        kind = plain.kind or self._look_at(plain, tally)
        if kind is None:
            return False
        tally.elapsed_s += elapsed_s
        tally.bytes += plain.length
        counts, value_us = tally.successes, int(elapsed_s * 1e6)
        counts[value_us] = counts.get(value_us, 0) + 1
        said = tally.said.get(kind)
        if said is None:
            said = tally.said[kind] = [0]
        said[0] += 1
        return True

    def _look_at(self, plain: PlainRequest, tally: RequestTally) -> tuple[str, str] | None:
        """What a known answer says; None when it also says which service gave it, as which it is to be recorded."""
        if tally.names_service(plain.head):
            plain.forget()
            return None
        plain.kind = said_by(plain.body, plain.head.content_type, plain.path)
        return plain.kind

    def pour(self, recorder: Recorder, answers: AnswerCosts) -> None:
        """Hand over what was counted."""
        for tally in self._tallies.values():
            tally.pour(recorder, answers)
