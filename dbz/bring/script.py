"""From a recording to the steps of a scenario: whose they are, what they are called, and what depends on what."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from dbz.bring import names
from dbz.bring.choosing import Choice, wanted, without_followed
from dbz.bring.correlation import Correlation
from dbz.bring.deliveries import find_deliveries, rooms_of
from dbz.bring.messages import RAW, AwaitedAnswer, find_answers, kind_of, raw_sessions
from dbz.bring.recording import FORM, JSON, MULTIPART, NO_SERVER, Exchange, MessageBody, Recording, placeholder_variable
from dbz.bring.sockets import SocketEvent, SocketSession, socket_sessions
from dbz.bring.steps import Connect, Delivery, Emit, Flow, Handler, HttpStep, Joined, Script
from dbz.bring.values import Expression, Formatted, code, json_path, leaves, replaced, value_at
from dbz.errors import UsageError
from dbz.masking import masked_name, without_user

_BROWSERS_OWN = re.compile(
    r"(accept|accept-(encoding|language|charset)|connection|content-length|content-type|cookie|dnt|host|if-.*|origin|"
    r"pragma|cache-control|priority|referer|sec-.*|te|transfer-encoding|upgrade.*|user-agent|x-devtools.*)$"
)
"""Headers that a client sends of itself, or that another origin would ask for."""
_ONE_TYPE = re.compile(r"(?!text/html|text/css|image/)[\w.+-]+/[\w.+-]+(?: *;[^,]*)?")
"""What an app accepts by intent, such as JSON or a version of an API: a server may answer otherwise without it."""
_MAX_PATHS = 50
_NAME = re.compile(r"\b[A-Z]\w*")
_BEFORE_CREDENTIALS = {"authorization": " ", "cookie": "="}
"""What stands between the scheme, or the name, of credentials and themselves, by header."""
_CREDENTIAL_LENGTH = 12
_SECRET_HEADERS = re.compile(r"authorization|cookie|x-api-key|x-auth.*|.*token.*|.*secret.*", re.IGNORECASE)


def script_of(recording: Recording, choice: Choice = Choice()) -> Script:  # noqa: B008 a frozen value
    """The script of a recording; `UsageError` when nothing of it is left."""
    sessions = socket_sessions(recording)
    exchanges, origin, notes = wanted(recording, choice)
    sessions += raw_sessions(recording, sessions, origin)
    if recording.recorded:
        exchanges = list(without_followed(exchanges))
    sessions = [session for session in sessions if session.origin == origin or not origin]
    if not exchanges and not sessions:
        raise UsageError(
            "nothing of the recording is left: all of it is static, or goes to other servers",
            hint="--target",
            code="B004",
        )
    templates = names.PathTemplates(exchange.path for exchange in exchanges)
    told = [note for note in recording.notes if not (choice.target and NO_SERVER in note)]
    script = Script([], without_user(origin or recording.origin), recording.recorded, notes=[*told, *notes])
    deliveries = find_deliveries(sessions)
    found = _Found(deliveries, rooms_of(deliveries, sessions), _answers(deliveries, sessions))
    secrets: dict[str, str] = {}
    if recording.recorded:
        sources = dict.fromkeys([*(one.source for one in exchanges), *(one.source for one in sessions)])
    else:
        sources = {"": None}
    for source in sources:
        own = [one for one in exchanges if not source or one.source == source]
        held = [one for one in sessions if one.source == source]
        start = [one for one in recording.start if one.origin in ("", origin)]
        reader = _FlowReader(templates, found, secrets, recorded=recording.recorded)
        script.flows.append(reader.flow(source, own, held, start))
    script.secrets = sorted(set(secrets.values()))
    if not recording.recorded:
        (flow,) = script.flows
        script.weights = Counter(step.operation for step in flow.steps if isinstance(step, HttpStep))
        script.paths = _paths(flow)
        script.secrets = _written(script.secrets, flow, script.paths)
    values = {name: value for value, name in secrets.items() if not placeholder_variable(value)}
    script.secret_values = {name: value for name, value in values.items() if name in script.secrets}
    return script


def _written(secrets: Sequence[str], flow: Flow, paths: Mapping[str, Sequence[str]]) -> list[str]:
    """The secrets that are written as variables: in queries of operations with several paths they are masked."""
    written = set()
    for first in (*flow.start, *flow.steps):
        step = first if isinstance(first, HttpStep) else None
        while step is not None:
            values = [step.path, step.headers, step.body.value, [] if step.operation in paths else step.query]
            written.update(_NAME.findall(code(values)))
            step = step.before
    return [name for name in secrets if name in written]


def _paths(flow: Flow) -> dict[str, list[str]]:
    """The different paths of each operation that has several; at most fifty, evenly out of all."""
    seen: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for step in flow.steps:
        if isinstance(step, HttpStep) and step.recorded and isinstance(step.path, str):
            query = urlsplit(step.recorded.url).query
            seen[step.operation][masked_name(step.recorded.path + (f"?{query}" if query else ""))] = None
    return {
        operation: list(paths)[:: max(1, -(-len(paths) // _MAX_PATHS))]
        for operation, paths in seen.items()
        if len(paths) > 1
    }


def _answers(deliveries: Sequence[Delivery], sessions: Sequence[SocketSession]) -> dict[int, Awaited]:
    """What answers the messages of protocols of the server's own, by the `id()` of the message."""
    raw = [session for session in sessions if session.raw]
    delivered = {name for delivery in deliveries for name in (delivery.sent_event, delivery.received_event)}
    return find_answers(raw, delivered)


Awaited = tuple[SocketEvent, AwaitedAnswer]


@dataclass(frozen=True)
class _Found:
    """What was found between the messages of all users."""

    deliveries: Sequence[Delivery]
    rooms: dict[Any, str]
    """With the event that is received in each."""
    answers: dict[int, Awaited]


class _FlowReader:
    """Reads what one user did."""

    def __init__(
        self,
        templates: names.PathTemplates,
        found: _Found,
        secrets: dict[str, str],
        *,
        recorded: bool,
    ) -> None:
        self._templates = templates
        self._recorded = recorded
        self._rooms = found.rooms
        self._deliveries = {delivery.sent_event: delivery for delivery in found.deliveries}
        self._received = {delivery.received_event: delivery for delivery in found.deliveries}
        self._answers = found.answers
        self._answering: dict[int, Emit] = {}
        """By `id()` of a message that answers: the step that awaits it."""
        self._secrets = secrets
        self._seen = Correlation()

    def flow(
        self,
        source: str,
        exchanges: Iterable[Exchange],
        sessions: Sequence[SocketSession],
        start: Sequence[Exchange] = (),
    ) -> Flow:
        """The steps of a user, in the order in which they began; `start` is what it does before."""
        lasting = [session for session in sessions if session.events]  # a refused connection brings nothing
        happened: list[tuple[float, Exchange | SocketSession | SocketEvent]] = [
            *((exchange.started_s, exchange) for exchange in exchanges),
            *((session.started_s, session) for session in (lasting or sessions)[:1]),
            *((event.at_s, event) for session in sessions for event in session.events),
        ]
        flow = Flow(source, [], [self._call(exchange) for exchange in start])
        for _, what in sorted(happened, key=lambda pair: pair[0]):
            if isinstance(what, Exchange):
                flow.steps.append(self._call(what))
            elif isinstance(what, SocketSession):
                flow.steps.append(self._connect(what))
            elif what.sent:
                flow.steps.append(self._emit(what))
            else:
                flow.received.append(what)
                self._receive(what, flow)
        flow.start = [step for step in flow.start if step.keeps or not (step.recorded and step.recorded.gives)]
        return flow

    def _call(self, exchange: Exchange) -> HttpStep:
        before = self._call(exchange.before) if exchange.before else None
        path = self._path(exchange.path)
        name = exchange.template or self._name(exchange.path, path)
        call = HttpStep(exchange.method, path, name, exchange.started_s, status=exchange.status)
        call.title, call.before, call.recorded = exchange.title, before, exchange
        call.query = [(name, self._value(name, value)) for name, value in exchange.query]
        call.headers = {
            name: self._header(name, value)
            for name, value in exchange.headers
            if not _BROWSERS_OWN.match(name)
            or (name == "cookie" and not self._recorded)
            or (name == "accept" and _ONE_TYPE.fullmatch(value))
        }
        call.body = self._body(exchange.body)
        self._seen.note_sent([call.query, call.body.value if call.body.kind in (JSON, FORM) else None])
        self._seen.learn_answer(exchange, call.keeps)
        for given in exchange.gives:
            self._seen.learn_given(given, call.keeps)
        return call

    def _name(self, recorded: str, path: str | Formatted) -> str:
        """The path without what looks like an id, and without what came from an answer."""
        if isinstance(path, str):
            return self._templates.of(recorded)
        return self._templates.of("".join("{id}" if isinstance(part, Expression) else part for part in path.parts))

    def _path(self, path: str) -> str | Formatted:
        parts: list[str | Expression] = []
        before = ""
        for number, segment in enumerate(path.split("/")):
            parts.append("/" if number else "")
            of_a_kind = names.is_id(segment) or before.endswith("s")  # after `rooms` comes which room
            used = self._seen.used("id" if of_a_kind else "", segment) if segment else segment
            before = segment
            parts += used.parts if isinstance(used, Formatted) else [used]
        joined: list[str | Expression] = []
        for part in parts:
            if joined and isinstance(part, str) and isinstance(joined[-1], str):
                joined[-1] += part
            else:
                joined.append(part)
        return path if all(isinstance(part, str) for part in joined) else Formatted(joined)

    def _header(self, name: str, value: str) -> Any:
        head, mark, credentials = value.partition(_BEFORE_CREDENTIALS.get(name, "\0"))
        if not mark:
            head, credentials = "", value
        used = self._seen.used(name, credentials)
        is_open = not self._recorded and placeholder_variable(credentials)
        if used == credentials and (is_open or _SECRET_HEADERS.fullmatch(name)):
            used = self._secret({"authorization": "token", "cookie": head or name}.get(name, name), credentials)
        if not mark:
            return used
        parts = used.parts if isinstance(used, Formatted) else [used]
        return Formatted([f"{head}{mark}", *parts]) if used != credentials else value

    def _body(self, body: MessageBody) -> MessageBody:
        if body.kind == JSON:
            return replace(body, value=replaced(body.value, lambda place, value: self._value(_key(place), value)))
        if body.kind in (FORM, MULTIPART):
            return replace(body, value=[(name, self._value(name, value)) for name, value in body.value])
        return body

    def _value(self, key: str, value: Any) -> Any:
        """A value of a request: as it was, taken from an answer, or a secret."""
        used = self._seen.used(key, value)
        if used is value and isinstance(value, str) and value:
            open_value = not self._recorded and placeholder_variable(value)
            if open_value or names.is_secret_key(key):
                return self._secret(key, value)
        return used

    def _credential(self, key: str, value: Any) -> Any:
        """What a socket authenticates with: also under a key that says nothing, what is long is no word of a person."""
        used = self._value(key, value)
        if used is value and isinstance(value, str) and len(value) >= _CREDENTIAL_LENGTH and " " not in value:
            return self._secret(key, value)
        return used

    def _secret(self, key: str, value: str) -> Expression:
        """What an earlier answer brought, or the environment variable that stands for a secret: the same for the same
        text."""
        brought = self._seen.secret(value)
        if brought is not None:
            return brought
        if value not in self._secrets:
            base = (not self._recorded and placeholder_variable(value)) or names.snake(key).upper()
            name, taken, number = base, set(self._secrets.values()), 2
            while name in taken:
                name, number = f"{base}_{number}", number + 1
            self._secrets[value] = name
        return Expression(self._secrets[value])

    def _connect(self, session: SocketSession) -> Connect:
        auth = replaced(session.auth.get("/"), lambda place, value: self._credential(_key(place), value))
        query = {key: self._value(key, value) for key, value in session.query.items()}
        path = self._path(session.path) if session.raw else session.path
        protocols = [self._seen.used("", one) for one in session.protocols]
        return Connect(path, session.started_s, auth, query, protocols, session.raw)

    def _emit(self, event: SocketEvent) -> Emit:
        # What an event is given without a key is, more often than not, the id of what it is about.
        arguments = replaced(list(event.arguments), lambda place, value: self._value(_key(place) or "id", value))
        delivery = self._deliveries.get(event.name)
        emit = Emit(
            event.name, arguments, event.namespace, event.at_s, event.asks_answer, delivery=delivery, recorded=event
        )
        if delivery is None:
            emit.joins = self._joined(event)
        emit.raw = event.namespace.startswith(RAW)
        if id(event) in self._answers:
            answer, awaited = self._answers[id(event)]
            emit.answer, emit.answer_kind = _demands(awaited, arguments[0]), awaited.kind.name
            self._answering[id(answer)] = emit
        self._seen.note_sent(arguments)
        if event.answer is not None:
            self._seen.learn(list(event.answer), "answer", emit.keeps, names.singular(event.name.rpartition(":")[2]))
        return emit

    def _joined(self, event: SocketEvent) -> Joined | None:
        """Whether an event names the room of a delivery: then it is taken to be what joins it."""
        for location, value in leaves(list(event.arguments)):
            if value in self._rooms:
                return Joined(self._rooms[value], location)
        return None

    def _receive(self, event: SocketEvent, flow: Flow) -> None:
        """Handle an event that arrived: by one handler for each name, whatever it brings; an answer is awaited."""
        awaiting = self._answering.get(id(event))
        if awaiting is not None:
            self._seen.learn(event.arguments[0], "answer", awaiting.keeps)
            return
        handler = next(
            (one for one in flow.handlers if (one.namespace, one.event) == (event.namespace, event.name)), None
        )
        if handler is None:
            handler = Handler(event.name, event.namespace, delivery=self._received.get(event.name))
            flow.handlers.append(handler)
        if event.namespace.startswith(RAW):
            handler.kind = kind_of(event.arguments[0])
            self._seen.learn(event.arguments[0], "message", handler.keeps)
        else:
            self._seen.learn(list(event.arguments), "arguments", handler.keeps)


def _demands(awaited: AwaitedAnswer, message: Any) -> dict[str, Any]:
    """By JSONPath, what the answer to a message has: its own word, and what it repeats of the message."""
    kind = awaited.kind
    demands: dict[str, Any] = {json_path(kind.location): kind.name} if kind.location else {}
    if awaited.same:
        in_answer, in_message = awaited.same
        demands[json_path(in_answer)] = value_at(message, in_message)
    return demands


def _key(place: Sequence[str | int]) -> str:
    return next((key for key in reversed(place) if isinstance(key, str)), "")
