"""The Python text of a scenario, as a person would have written it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dbz.bring import names
from dbz.bring.recording import FORM, JSON, MULTIPART
from dbz.bring.steps import Connect, Delivery, Emit, Flow, Handler, HttpStep, Keep, Script, Step
from dbz.bring.values import Expression, Location, code, lookup, quoted, replaced, value_at

SHORTEST_PAUSE_S = 0.2
"""Shorter gaps between two steps are the client's own work, not somebody thinking."""
LONGEST_PAUSE_S = 60.0
_FIRM_SHARE, _LOOSE_SHARE = 0.7, 1.3
"""A pause of the scenario is between these shares of the recorded one."""
_MAX_WEIGHT = 1000


def scenario_text(script: Script, about: str) -> str:
    """The whole file; `about` says in a sentence what it was made from."""
    classes = [_ClassWriter(script, flow, name) for flow, name in zip(script.flows, class_names(script), strict=True)]
    bodies = ["\n".join(writer.lines()) for writer in classes]
    text = "\n\n\n".join(bodies)
    samples = "\n".join(_samples(script))
    bases = [base for base in ("HttpUser", "SocketUser") if f"({base})" in text]
    names_used = sorted({"between", "task", *bases, *(["secret"] if script.secrets else [])})
    parts = [f'"""{about}"""', "\n".join(f"# {note}" for note in script.notes)]
    parts.append("import re" if "re.search(" in text else "")
    parts.append(f"from dbz.users import {', '.join(names_used)}")
    parts.append("\n".join(f'{name} = secret("{name}")' for name in script.secrets))
    return "\n\n".join(filter(None, [*parts, samples])) + "\n\n\n" + text + "\n"


def _samples(script: Script) -> Iterator[str]:
    """The paths that were seen of each operation with several of them, from which its task chooses."""
    if not script.paths:
        return
    yield "PATHS = {"
    for operation, paths in script.paths.items():
        yield f"    {quoted(operation)}: {code(list(paths), 4)},"
    yield "}"
    yield '"""What was seen of each operation, from which users choose."""'


def class_names(script: Script) -> list[str]:
    """What the user class of each flow is called."""
    if len(script.flows) == 1:
        return ["Visitor" if script.recorded else "Client"]
    return [f"Visitor{number}" for number in range(1, len(script.flows) + 1)]


class _ClassWriter:
    """Writes the user class of one flow."""

    def __init__(self, script: Script, flow: Flow, name: str) -> None:
        self._script = script
        self._flow = flow
        self._name = name
        self._counts = any(isinstance(step, Emit) and step.delivery for step in flow.steps)

    def lines(self) -> Iterator[str]:
        """The lines of the class."""
        base = "SocketUser" if self._flow.connects else "HttpUser"
        yield f"class {self._name}({base}):"
        does = "Does what was recorded, again and again" if self._script.recorded else "Makes each request now and then"
        yield f'    """{does}."""'
        yield ""
        if self._script.origin:
            yield f"    host = {quoted(self._script.origin)}"
        if len(self._script.flows) > 1:
            yield '    seat_group = "visitors"  # one numbering for all classes: deliveries tell members apart by it'
        yield "    wait_time = between(1, 3)"
        if not self._script.recorded:
            yield from self._single_tasks()
            return
        parts = _parts_of(self._flow.steps)
        if parts.start or self._flow.handlers or self._counts:
            yield from self._on_start(parts)
        if parts.joins or parts.again:
            yield from self._on_connected(parts)
        yield from self._task(parts)
        for handler in self._flow.handlers:
            yield from self._handler(handler)
        joined = [step for step in self._flow.steps if isinstance(step, Emit) and step.joins]
        if joined:
            yield from self._on_stop(_different(joined))

    def _on_start(self, parts: _Parts) -> Iterator[str]:
        yield from (
            "",
            "    def on_start(self):",
            '        """Sign in, and connect."""' if parts.start else '        """Get ready."""',
        )
        if parts.again:
            yield "        self.entered = False"
        if self._counts:
            yield "        self.messages = 0"
        for handler in self._flow.handlers:
            on = f"self.socket{_of(handler.namespace)}.on"
            yield f"        {on}({quoted(handler.event)}, self.{_handler_name(handler)})"
        yield from self._steps(parts.start)
        if parts.again:
            yield "        self.entered = True"

    def _on_connected(self, parts: _Parts) -> Iterator[str]:
        yield from ("", "    def on_connected(self):")
        if parts.joins:
            yield '        """Enter the rooms, also after a reconnect."""'
            yield from self._steps(parts.joins)
            return
        yield '        """Enter the rooms again after a reconnect."""'
        yield "        if self.entered:"
        for line in self._steps(parts.again):
            yield f"    {line}"

    def _on_stop(self, joins: Sequence[Emit]) -> Iterator[str]:
        yield from ("", "    def on_stop(self):", '        """Leave the rooms before the connection goes."""')
        for emit in joins:
            if emit.joins:
                room = code(_argument(emit, emit.joins.room))
                yield f"        self.deliveries.leave({quoted(emit.joins.event)}, {room}, self.seat)"
        yield "        super().on_stop()"

    def _task(self, parts: _Parts) -> Iterator[str]:
        yield from ("", "    @task", "    def session(self):", '        """The recorded steps, in their order."""')
        before = [*parts.start, *parts.joins]
        yield from (
            self._steps(parts.task, before[-1] if before else None) if parts.task else ["        self.pause(1, 3)"]
        )

    def _beginning(self) -> Iterator[str]:
        """What a user asks once: logins, and lists; of a list that failed when it was tried nothing is taken."""
        yield from ("", "    def on_start(self):", f'        """{_about_start(self._flow.start)}."""')
        for step in self._flow.start:
            if step.operation in self._script.left_out:
                for keep in step.keeps:
                    yield f"        self.{keep.attribute} = {code(keep.otherwise)}"
            else:
                yield from self._call(step)

    def _single_tasks(self) -> Iterator[str]:
        """A task for each operation, as often as it was seen."""
        if self._flow.start:
            yield from self._beginning()
        done: set[str] = set()
        for step in self._flow.steps:
            if not isinstance(step, HttpStep) or step.operation in done:
                continue
            done.add(step.operation)
            weight = min(self._script.weights.get(step.operation, 1), _MAX_WEIGHT)
            yield ""
            reason = self._script.left_out.get(step.operation)
            if reason:
                yield f"    # Not a task: {reason}. Give it what the server knows, and write @task here."
            else:
                yield f"    @task({weight})" if weight > 1 else "    @task"
            yield f"    def {_task_name(step, done)}(self):"
            yield f'        """{step.title or step.operation}."""'.replace("\\", "\\\\")
            if step.before:
                yield from self._call(step.before)
            yield from self._call(step)

    def _steps(self, steps: Sequence[Step], after: Step | None = None) -> Iterator[str]:
        """Lines for steps with the pauses between them, and before the first where there was a step before."""
        before_s = after.at_s if after else steps[0].at_s if steps else 0.0
        for step in steps:
            gap_s = min(step.at_s - before_s, LONGEST_PAUSE_S)
            if gap_s >= SHORTEST_PAUSE_S:
                yield f"        self.pause({gap_s * _FIRM_SHARE:.1f}, {gap_s * _LOOSE_SHARE:.1f})"
            before_s = step.at_s
            if isinstance(step, HttpStep):
                yield from self._call(step)
            elif isinstance(step, Emit):
                yield from self._emit(step)
            else:
                yield f"        self.socket.connect({code(step.auth, 8) if step.auth else ''})"

    def _call(self, call: HttpStep) -> Iterator[str]:
        choice = Expression(f"self.random.choice(PATHS[{quoted(call.operation)}])")
        path = choice if call.operation in self._script.paths else call.path
        arguments = [code(path)]
        if call.query and path is not choice:
            arguments.append(f"params={code(_pairs(call.query), 12)}")
        if call.body.kind == JSON:
            arguments.append(f"json={code(call.body.value, 12)}")
        elif call.body.kind == FORM:
            arguments.append(f"data={code(_pairs(call.body.value), 12)}")
        elif call.body.kind == MULTIPART:
            arguments.append(f"files={code({name: Expression(_part(value)) for name, value in call.body.value}, 12)}")
        elif call.body:
            arguments.append(f"data={code(call.body.value, 12)}")
            call.headers.setdefault("content-type", call.body.media_type or "text/plain")
        if call.headers:
            arguments.append(f"headers={code(call.headers, 12)}")
        if call.name != path:
            arguments.append(f"name={quoted(call.name)}")
        refused = call.status >= 400
        if refused:
            arguments.append("catch_response=True")
        verb = call.method.lower()
        known = verb in ("get", "post", "put", "patch", "delete", "head", "options")
        request = f"self.client.{verb}" if known else f'self.client.request("{call.method}", '
        text = _called(request, arguments, 8) if known else f"{request}{', '.join(arguments)})"
        if refused:
            yield f"        with {text} as answer:"
            yield f"            if answer.status_code == {call.status}:  # as it was recorded"
            yield "                answer.success()"
        else:
            yield f"        {'answer = ' if call.keeps else ''}{text}"
        yield from self._kept(call.keeps)

    def _emit(self, emit: Emit) -> Iterator[str]:
        arguments = list(emit.arguments)
        if emit.delivery:
            yield "        self.messages += 1"
            yield '        key = f"{self.seat}-{self.messages}"'
            arguments = _with_key(emit, emit.delivery)
            room = code(_argument(emit, emit.delivery.room_sent)) if emit.delivery.room_sent else '""'
            yield f"        self.deliveries.sent({quoted(emit.delivery.received_event)}, {room}, key, self.seat)"
        verb = "call" if emit.asks_answer else "emit"
        given = [quoted(emit.event), *(code(argument, 12) for argument in arguments)]
        text = _called(f"self.socket{_of(emit.namespace)}.{verb}", given, 8)
        yield f"        {'answer = ' if emit.keeps else ''}{text}"
        yield from self._kept(emit.keeps)
        if emit.joins:
            room = code(_argument(emit, emit.joins.room))
            yield f"        self.deliveries.join({quoted(emit.joins.event)}, {room}, self.seat)"

    @staticmethod
    def _kept(keeps: Sequence[Keep]) -> Iterator[str]:
        for keep in keeps:
            yield f"        self.{keep.attribute} = {keep.code}"

    def _handler(self, handler: Handler) -> Iterator[str]:
        yield from ("", f"    def {_handler_name(handler)}(self, *arguments):")
        yield f'        """`{handler.event}` arrived."""'
        for keep in handler.keeps:
            yield f"        self.{keep.attribute} = {keep.code}"
        if handler.delivery:
            yield from _received(handler.delivery)


@dataclass(frozen=True)
class _Parts:
    """The steps of a user by when they are done."""

    start: Sequence[Step]
    """Once, in `on_start`."""
    joins: Sequence[Emit]
    """After each connect: what enters rooms, where nothing else lies between connecting and that."""
    again: Sequence[Emit]
    """After each reconnect: what enters rooms, where the first time is in `on_start`, after what it needs."""
    task: Sequence[Step]
    """Again and again."""


def _parts_of(steps: Sequence[Step]) -> _Parts:
    """What is done once, up to the login, the connection and the rooms, and what is done again and again."""
    once = 0
    for number, step in enumerate(steps):
        if isinstance(step, Connect) or (isinstance(step, HttpStep) and _is_login(step)):
            once = number + 1
    rest = steps[once:]
    first_message = next((i for i, step in enumerate(rest) if isinstance(step, Emit) and step.delivery), len(rest))
    joining = [i for i in range(first_message) if _joins(rest[i])]
    length = joining[-1] + 1 if joining else 0
    leading = [step for step in rest[:length] if isinstance(step, Emit) and step.joins]
    if len(leading) == length and once and isinstance(steps[once - 1], Connect):
        start, joins, again = steps[:once], _different(leading), []
    else:
        start, joins, again = steps[: once + length], [], _different(leading)
    task = rest[length:]
    if not task and start and not length:
        start, task = start[:-1], start[-1:]
    return _Parts(start, joins, again, task)


def _about_start(steps: Sequence[HttpStep]) -> str:
    """What a user does first, in words."""
    picks = any(keep.otherwise is not None for step in steps for keep in step.keeps)
    signs_in = any(not step.keeps or any(keep.otherwise is None for keep in step.keeps) for step in steps)
    if signs_in:
        return "Sign in, and pick what to ask for" if picks else "Sign in"
    return "Pick what to ask for"


def _joins(step: Step) -> bool:
    return isinstance(step, Emit) and step.joins is not None


def _different(joins: Sequence[Emit]) -> list[Emit]:
    """The joins without repetitions."""
    return list({(emit.event, code(emit.arguments)): emit for emit in joins}.values())


def _received(delivery: Delivery) -> Iterator[str]:
    """Lines that note the receipt of every message that an event brings."""
    holder, indent = "arguments", "        "
    key, room = delivery.key_received, delivery.room_received
    while "*" in key:
        place = key.index("*")
        name = f"message{indent.count('    ') - 1}" if holder != "arguments" else "message"
        yield f"{indent}for {name} in {holder}{lookup(key[:place])}:"
        room = room[place + 1 :] if room and room[: place + 1] == key[: place + 1] else None
        holder, key, indent = name, key[place + 1 :], indent + "    "
    at_room = f"{holder}{lookup(room)}" if room else '""'
    event, at_key = quoted(delivery.received_event), f"{holder}{lookup(key)}"
    yield f"{indent}self.deliveries.received({event}, {at_room}, {at_key}, self.seat)"


def _with_key(emit: Emit, delivery: Delivery) -> list[object]:
    changed: list[object] = replaced(
        list(emit.arguments), lambda place, value: Expression("key") if place == delivery.key_sent else value
    )
    return changed


def _argument(emit: Emit, location: Location | None) -> object:
    return value_at(emit.arguments, location or ())


def _is_login(call: HttpStep) -> bool:
    kept = any(re.search(r"token|session|csrf|jwt", keep.attribute) for keep in call.keeps)
    return kept or bool(re.search(r"/(log-?in|sign-?in|sessions?|authenticate|auth|oauth/token)$", call.name))


def _called(function: str, arguments: Sequence[str], indent: int) -> str:
    flat = f"{function}({', '.join(arguments)})"
    if indent + len(flat) <= 116 and "\n" not in flat:
        return flat
    inner = " " * (indent + 4)
    return f"{function}(\n" + "".join(f"{inner}{argument},\n" for argument in arguments) + " " * indent + ")"


def _pairs(pairs: Sequence[tuple[str, object]]) -> object:
    """The pairs as a mapping, or as a list where a name is repeated."""
    return dict(pairs) if len({name for name, _ in pairs}) == len(pairs) else [list(pair) for pair in pairs]


def _part(value: object) -> str:
    """A part of a multipart body: its content is that of the name, since recordings hold no files."""
    return f"(None, {code(value)})"


def _of(namespace: str) -> str:
    return "" if namespace == "/" else f".of({quoted(namespace)})"


def _handler_name(handler: Handler) -> str:
    return f"on_{names.snake(handler.event)}"


def _task_name(call: HttpStep, done: set[str]) -> str:
    plain = names.snake(call.title) if call.title else names.snake(f"{call.method} {call.name.replace('{id}', 'one')}")
    name = plain[:60].rstrip("_")
    while f"def {name}" in done:
        name += "_too"
    done.add(f"def {name}")
    return name
