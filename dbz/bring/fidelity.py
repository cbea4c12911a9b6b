"""Whether a scenario does what was recorded: operations, events, their order, statuses, and the shapes of payloads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from dbz.bring import names
from dbz.bring.messages import kind_of, message_of
from dbz.bring.recording import FORM, JSON, MessageBody, body_of
from dbz.bring.steps import Emit, Flow, HttpStep
from dbz.bring.values import MAX_DEPTH

REQUEST, SENT, RECEIVED = "request", "sent", "received"
"""What can pass between a user and its server."""
_TOGETHER_S = 0.5
"""Of what the server sent, the order counts only where the recording has so much between: the network decides it."""
_NOT_MODIFIED = 304
_NOTHING, _ANYTHING = "nothing", "anything"

Shape = Any
"""What is left of a payload without its values: kinds of scalars, keys, and what lists hold."""


@dataclass(frozen=True)
class Passed:
    """Something that passed between a user and its server."""

    kind: str
    name: str
    """The operation, or the event."""
    at_s: float
    status: int = 0
    """Of a request; 0 where it is not known."""
    payloads: Sequence[tuple[str, Shape]] = ()
    """What was sent and what was answered, each by its name."""

    @property
    def called(self) -> str:
        """How people call it."""
        return self.name if self.kind == REQUEST else f"{self.kind} event '{self.name}'"


@dataclass
class Fidelity:
    """What a comparison found."""

    differences: list[str] = field(default_factory=list)
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By what is counted: how many are as recorded, of how many."""

    def count(self, what: str, same: bool) -> None:
        """One more that was compared."""
        equal, every = self.counts.get(what, (0, 0))
        self.counts[what] = (equal + same, every + 1)


def recorded_of(flow: Flow) -> list[Passed]:
    """What one recorded user did and received, by its time."""
    passed = [_of_event(RECEIVED, event.name, event.at_s, event.arguments, None) for event in flow.received]
    for step in (*flow.start, *flow.steps):
        if isinstance(step, Emit) and step.recorded:
            event = step.recorded
            passed.append(_of_event(SENT, event.name, event.at_s, event.arguments, event.answer))
        elif isinstance(step, HttpStep):
            exchange = step.recorded
            bodies = (
                [("body", step.body)] if exchange is None else [("body", exchange.body), ("answer", exchange.answer)]
            )
            payloads = [(name, _body_shape(body)) for name, body in bodies if body]
            passed.append(Passed(REQUEST, step.operation, step.at_s, step.status, payloads))
    return sorted(passed, key=lambda one: one.at_s)


def replayed_of(told: Iterable[Mapping[str, Any]], user: str) -> list[Passed]:
    """The same of a user class in what a rehearsal tells."""
    passed: list[Passed] = []
    asked: dict[tuple[str, Any], int] = {}  # by namespace and number of the acknowledgement
    for line in told:
        if line.get("user") != user:
            continue
        if line["what"] == "http":
            passed.append(_of_exchange(line))
        elif line["what"] == "socket" and line["kind"] == "message":
            message = b"" if line["binary"] else message_of(line["data"])
            kind = SENT if line["sent"] else RECEIVED
            passed.append(_of_event(kind, kind_of(message).name, line["at_s"], [message], None))
        elif line["what"] == "socket" and str(line["kind"]).startswith("event"):
            name, *arguments = line["data"]
            kind = SENT if line["sent"] else RECEIVED
            if line["sent"] and line.get("number") is not None:
                asked[line["namespace"], line["number"]] = len(passed)
            passed.append(_of_event(kind, name, line["at_s"], arguments, None))
        elif line["what"] == "socket" and line["kind"] == "ack" and not line["sent"]:
            index = asked.get((line["namespace"], line["number"]))
            if index is not None:
                before = passed[index]
                answered = [*before.payloads, ("answer", _shape(line["data"]))]
                passed[index] = Passed(SENT, before.name, before.at_s, 0, answered)
    return passed


def _of_event(kind: str, name: str, at_s: float, arguments: Sequence[Any], answer: Sequence[Any] | None) -> Passed:
    payloads = [("arguments", _shape(list(arguments)))]
    if answer is not None:
        payloads.append(("answer", _shape(list(answer))))
    return Passed(kind, str(name), at_s, 0, payloads)


def _of_exchange(line: Mapping[str, Any]) -> Passed:
    sent, headers = ({key.lower(): value for key, value in line[part].items()} for part in ("sent_headers", "headers"))
    bodies = [
        ("body", body_of(line["sent"], str(sent.get("content-type", "")))),
        ("answer", body_of(line["body"], str(headers.get("content-type", "")))),
    ]
    payloads = [(name, _body_shape(body)) for name, body in bodies if body]
    return Passed(REQUEST, line["operation"], line["at_s"], line["status"], payloads)


def _body_shape(body: MessageBody) -> Shape:
    if body.kind == JSON:
        return _shape(body.value)
    if body.kind == FORM:
        return sorted({name for name, _ in body.value})
    return body.kind


def _shape(value: Any, depth: int = 0) -> Shape:
    """The shape of a JSON tree; keys that are ids are one key, the parts of a list are one part."""
    if depth > MAX_DEPTH:
        return _ANYTHING
    if isinstance(value, Mapping):
        fields: dict[str, Shape] = {}
        for key, part in value.items():
            name = "{id}" if names.is_id(str(key)) else str(key)
            fields[name] = _merged(fields[name], _shape(part, depth + 1)) if name in fields else _shape(part, depth + 1)
        return fields
    if isinstance(value, list | tuple):
        inner: Shape = _NOTHING
        for part in value:
            inner = _merged(inner, _shape(part, depth + 1))
        return [inner]
    if value is None:
        return _ANYTHING
    if isinstance(value, bytes):
        return "bytes"
    if isinstance(value, bool):
        return "true or false"
    return "number" if isinstance(value, int | float) else "text"


def _merged(one: Shape, other: Shape) -> Shape:
    """A shape that both have; of two objects all keys."""
    if one in (_NOTHING, _ANYTHING):
        return other
    if other in (_NOTHING, _ANYTHING):
        return one
    if isinstance(one, dict) and isinstance(other, dict):
        return {key: _merged(one.get(key, _NOTHING), other.get(key, _NOTHING)) for key in {**one, **other}}
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other) == 1:
        return [_merged(one[0], other[0])]
    return one if one == other else _ANYTHING


def _difference(recorded: Shape, replayed: Shape, place: str) -> str:
    """Where two shapes differ first, in words; empty when they agree. What is null or empty in one agrees with all."""
    if any(isinstance(shape, str) and shape in (_NOTHING, _ANYTHING) for shape in (recorded, replayed)):
        return ""
    if isinstance(recorded, dict) and isinstance(replayed, dict):
        missing, more = sorted(recorded.keys() - replayed.keys()), sorted(replayed.keys() - recorded.keys())
        if missing or more:
            said = [f"without {', '.join(missing)}"] if missing else []
            said += [f"with {', '.join(more)}"] if more else []
            return f"{place} is {' and '.join(said)}"
        parts = (_difference(recorded[key], replayed[key], f"{place}.{key}") for key in recorded)
        return next(filter(None, parts), "")
    if isinstance(recorded, list) and isinstance(replayed, list) and len(recorded) == len(replayed) == 1:
        return _difference(recorded[0], replayed[0], f"{place}[]")
    return "" if recorded == replayed else f"{place} is {_named(replayed)} instead of {_named(recorded)}"


def _named(shape: Shape) -> str:
    return "an object" if isinstance(shape, dict) else "a list" if isinstance(shape, list) else str(shape)


def compare(
    user: str, recorded: Sequence[Passed], replayed: Sequence[Passed], found: Fidelity, *, ordered: bool
) -> None:
    """Add to `found` how a replay of one user differs from its recording; `ordered` says whether order matters."""
    places = _places(replayed)
    matched: list[tuple[Passed, int]] = []
    missing: defaultdict[str, int] = defaultdict(int)
    for expected in recorded:
        index = next(places.get((expected.kind, expected.name), iter(())), None)
        found.count("operations" if expected.kind == REQUEST else "events", index is not None)
        if index is None:
            missing[expected.called] += 1
            continue
        matched.append((expected, index))
        found.differences += [f"{user}: {one}" for one in _details(expected, replayed[index], found)]
    found.differences += [f"{user}: {name}: {count} more times in the recording" for name, count in missing.items()]
    beyond = [replayed[index] for rest in places.values() for index in rest]
    for name, count in _counted(one.called for one in beyond if one.kind != RECEIVED).items():
        found.differences.append(f"{user}: {name}: {count} more times than in the recording")
    if ordered:
        found.differences += [f"{user}: {one}" for one in _out_of_order(matched, found)]


def _places(replayed: Sequence[Passed]) -> dict[tuple[str, str], Iterator[int]]:
    """The positions of everything of one kind and name, each handed out once."""
    listed: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for index, one in enumerate(replayed):
        listed[one.kind, one.name].append(index)
    return {key: iter(indexes) for key, indexes in listed.items()}


def _counted(texts: Iterable[str]) -> dict[str, int]:
    counts: defaultdict[str, int] = defaultdict(int)
    for text in texts:
        counts[text] += 1
    return counts


def _details(expected: Passed, actual: Passed, found: Fidelity) -> Iterator[str]:
    """How one exchange or event differs from the recorded one."""
    if expected.kind == REQUEST and expected.status:
        same = expected.status == actual.status or _NOT_MODIFIED in (expected.status, actual.status)
        found.count("statuses", same)
        if not same:
            yield f"{expected.called}: status {actual.status or 'none'} instead of {expected.status}"
            return  # the body of a refusal has a shape of its own
    if _NOT_MODIFIED in (expected.status, actual.status):
        return
    shapes = dict(actual.payloads)
    for name, shape in expected.payloads:
        difference = f"there is no {name}" if name not in shapes else _difference(shape, shapes[name], name)
        found.count("payload shapes", not difference)
        if difference:
            yield f"{expected.called}: {difference}"


def _out_of_order(matched: Sequence[tuple[Passed, int]], found: Fidelity) -> Iterator[str]:
    """What came before something that the recording has clearly before it.

    What the user itself did is in order when each comes after the one before; what the server sent only when both are
    half a second apart in the recording.
    """
    own = [(one, index) for one, index in matched if one.kind != RECEIVED]
    for (before, first), (after, second) in pairwise(own):
        found.count("in order", first < second)
        if first > second:
            yield f"{after.called} comes before {before.called}, which the recording has first"
    settled = latest = -1  # how many of the matched are clearly before, and the last of their positions
    for after, index in matched:
        while matched[settled + 1][0].at_s <= after.at_s - _TOGETHER_S:
            settled += 1
            latest = max(latest, matched[settled][1])
        if after.kind == RECEIVED:
            found.count("in order", index > latest)
            if index < latest:
                yield f"{after.called} comes earlier than in the recording"
