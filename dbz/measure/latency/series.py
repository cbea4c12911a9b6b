"""What a measured value belongs to: a kind (`http`, `delivery`, …), a name, and whether it succeeded."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote

from dbz.measure.latency.tags import NO_TAGS, Tags, read_tags

HTTP = "http"
CONNECT = "connect"
ACK = "ack"
DELIVERY = "delivery"
COMPOSITE = "composite"
MEASURE = "measure"
"""Durations that the scenario measured itself. Nothing was attempted by them, so they cannot fail."""
PAGE = "page"
"""Pages that a browser opened: until they were loaded, and their largest content painted."""
OTHER = "other"
TASK = "task"
"""What a scenario's own code tried and raised: tasks, users that could not start, handlers of events. Failures only."""
UNTIMED = "untimed"
"""What other clients report as done without saying how long it took: attempts that no latency is about."""
SERVICE = "service"
GENERATOR = "generator"
RUNNING = "running"
"""Requests that had been under way for a second or longer when a second of the run ended, by their age: what is not
answered leaves no sample of its own for as long as it is not."""
UNFINISHED = "unfinished"
"""HTTP requests that had long been without an answer when the run ended: failures of the judged part."""
DRAINED = "drained"
"""Deliveries of messages of the judged part that came, or were given up, after its end: they belong to it."""
SETUP = "setup"
"""Errors, without samples, of code that prepares or steers the run: what follows is not what the file means to run."""

AFTER_THE_END = {UNFINISHED: HTTP, DRAINED: DELIVERY}
"""Kinds that are recorded after the judged part, and what they are kinds of there."""
REQUEST_KINDS = (HTTP, CONNECT, ACK, DELIVERY, OTHER, TASK, UNTIMED)
"""Kinds whose samples are single attempts: they make up the totals and the error rate of a run."""
OPERATION_KINDS = (*REQUEST_KINDS, COMPOSITE, MEASURE, PAGE)
"""Kinds that reports have rows of: beside attempts what is made of several of them, what a scenario measured, and
pages."""


_PLAIN = "/:{}()?=&<>[]@$*+;"
"""Characters of a name that a tag keeps readable."""


@dataclass(frozen=True, order=True)
class Series:
    """The identity of one histogram over time; `failed` ones hold the attempts that did not succeed."""

    kind: str
    name: str
    failed: bool = False

    def tag(self, tags: Tags = NO_TAGS) -> str:
        """The tag of the interval log, which may hold no comma, space or line break; with what else tells samples
        apart."""
        of = f"@{tags}" if any(tags) else ""
        failed = "!" if self.failed else ""
        return f"{self.kind}{failed}{of}:{quote(self.name, safe=_PLAIN, errors='backslashreplace')}"

    @classmethod
    def from_tag(cls, tag: str) -> Series:
        """Read what `tag` wrote; `ValueError` when it has no kind."""
        return cls.and_tags(tag)[0]

    @classmethod
    def and_tags(cls, tag: str) -> tuple[Series, Tags]:
        """The same with what else the tag says of its samples."""
        where, colon, name = tag.partition(":")
        kind, _, tags = where.partition("@")
        if not colon or not kind:
            raise ValueError(f"'{tag}' is not a series tag")
        return cls(kind.removesuffix("!"), unquote(name), kind.endswith("!")), read_tags(tags)

    def as_failed(self) -> Series:
        """The series that takes the failed attempts of this one."""
        return Series(self.kind, self.name, failed=True)
