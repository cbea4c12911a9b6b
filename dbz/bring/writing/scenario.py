"""The text of a scenario: its imports and samples, and a class for each kind of user."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from dbz.bring import names
from dbz.bring.steps import Connect, Emit, Flow, HttpStep, Script, Step
from dbz.bring.values import code, comment, docstring, quoted
from dbz.bring.writing.parts import Parts, different, parts_of
from dbz.bring.writing.requests import request_lines
from dbz.bring.writing.sockets import (
    connect_lines,
    emit_lines,
    handler_lines,
    in_words,
    join_lines,
    leave_lines,
    registration_lines,
)

SHORTEST_PAUSE_S = 0.2
"""Shorter gaps between two steps are the client's own work, not somebody thinking."""
LONGEST_PAUSE_S = 60.0
_FIRM_SHARE, _LOOSE_SHARE = 0.7, 1.3
"""A pause of the scenario is between these shares of the recorded one."""
_MAX_WEIGHT = 1000
_BASES = ("HttpUser", "SocketUser", "WebSocketUser")


def scenario_text(script: Script, about: str) -> str:
    """The whole file; `about` says in a sentence what it was made from."""
    classes = [_ClassWriter(script, flow, name) for flow, name in zip(script.flows, class_names(script), strict=True)]
    bodies = ["\n".join(writer.lines()) for writer in classes]
    text = "\n\n\n".join(bodies)
    samples = "\n".join(sample_lines(script))
    bases = [base for base in _BASES if f"({base})" in text]
    options = [kind for kind in ("SocketOptions", "WebSocketOptions") if f" {kind}(" in text]
    names_used = sorted({"between", "task", *bases, *options, *(["secret"] if script.secrets else [])})
    parts = [docstring(about), "\n".join(map(comment, script.notes))]
    parts.append("import re" if "re.search(" in text else "")
    parts.append(f"from dbz.users import {', '.join(names_used)}")
    parts.append("\n".join(f'{name} = secret("{name}")' for name in script.secrets))
    return "\n\n".join(filter(None, [*parts, samples])) + "\n\n\n" + text + "\n"


def sample_lines(script: Script) -> Iterator[str]:
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
        self._arriving = {keep.attribute for handler in flow.handlers for keep in handler.keeps}
        """Attributes that are only there once something has arrived, and that no step has waited for yet."""

    def lines(self) -> Iterator[str]:
        """The lines of the class."""
        base = "HttpUser"
        if self._flow.connects:
            base = "WebSocketUser" if self._flow.raw else "SocketUser"
        yield f"class {self._name}({base}):"
        does = "Does what was recorded, again and again" if self._script.recorded else "Makes each request now and then"
        yield f'    """{does}."""'
        yield ""
        if self._script.origin:
            yield f"    host = {quoted(self._script.origin)}"
        if len(self._script.flows) > 1:
            yield '    seat_group = "visitors"  # one numbering for all classes: deliveries tell members apart by it'
        yield "    wait_time = between(1, 3)"
        if self._script.recorded:
            yield from self._session()
        else:
            yield from self._single_tasks()

    def _session(self) -> Iterator[str]:
        """The methods of a user that does what was recorded, in its order."""
        parts = parts_of(self._flow.steps)
        if parts.start or self._flow.handlers or self._counts:
            yield from self._on_start(parts)
        everybody = next(join_lines(self._flow), "")
        if parts.joins or parts.again or everybody:
            yield from self._on_connected(parts)
        yield from self._task(parts)
        yield from handler_lines(self._flow)
        joined = different([step for step in self._flow.steps if isinstance(step, Emit) and step.joins])
        left = list(leave_lines(self._flow, joined))
        if left:
            yield from ("", "    def on_stop(self):", '        """Leave the rooms before the connection goes."""')
            yield from left
            yield "        super().on_stop()"

    def _on_start(self, parts: Parts) -> Iterator[str]:
        yield from (
            "",
            "    def on_start(self):",
            '        """Sign in, and connect."""' if parts.start else '        """Get ready."""',
        )
        if parts.again:
            yield "        self.entered = False"
        if self._counts:
            yield "        self.messages = 0"
        yield from registration_lines(self._flow)
        yield from self._steps(parts.start)
        if parts.again:
            yield "        self.entered = True"

    def _on_connected(self, parts: Parts) -> Iterator[str]:
        yield from ("", "    def on_connected(self):")
        again = "Enter the rooms again after a reconnect" if parts.again else "Enter the rooms, also after a reconnect"
        yield f'        """{again}."""'
        yield from join_lines(self._flow)
        yield from self._steps(parts.joins)
        if parts.again:
            yield "        if self.entered:"
            for line in self._steps(parts.again):
                yield f"    {line}"

    def _task(self, parts: Parts) -> Iterator[str]:
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
                yield from request_lines(step)

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
            yield f"    def {task_name(step, done)}(self):"
            yield f'        """{in_words(step.title or step.operation)}."""'
            if step.before:
                yield from request_lines(step.before)
            yield from request_lines(step, among_paths=step.operation in self._script.paths)

    def _steps(self, steps: Sequence[Step], after: Step | None = None) -> Iterator[str]:
        """Lines for steps with the pauses between them, and before the first where there was a step before."""
        before_s = after.at_s if after else steps[0].at_s if steps else 0.0
        for step in steps:
            gap_s = min(step.at_s - before_s, LONGEST_PAUSE_S)
            if gap_s >= SHORTEST_PAUSE_S:
                yield f"        self.pause({gap_s * _FIRM_SHARE:.1f}, {gap_s * _LOOSE_SHARE:.1f})"
            before_s = step.at_s
            lines = list(_step_lines(step))
            yield from self._awaited("\n".join(lines))
            yield from lines

    def _awaited(self, text: str) -> Iterator[str]:
        """Lines that wait for what a step needs of messages that arrive by themselves."""
        for attribute in [name for name in dict.fromkeys(_ATTRIBUTE.findall(text)) if name in self._arriving]:
            self._arriving.discard(attribute)
            yield f'        self.wait_for("{attribute}")'


_ATTRIBUTE = re.compile(r"\bself\.(\w+)")


def _step_lines(step: Step) -> Iterator[str]:
    if isinstance(step, HttpStep):
        yield from request_lines(step)
    elif isinstance(step, Connect):
        yield from connect_lines(step)
    else:
        yield from emit_lines(step)


def _about_start(steps: Sequence[HttpStep]) -> str:
    """What a user does first, in words."""
    picks = any(keep.otherwise is not None for step in steps for keep in step.keeps)
    signs_in = any(not step.keeps or any(keep.otherwise is None for keep in step.keeps) for step in steps)
    if signs_in:
        return "Sign in, and pick what to ask for" if picks else "Sign in"
    return "Pick what to ask for"


def task_name(call: HttpStep, done: set[str]) -> str:
    plain = names.snake(call.title) if call.title else names.snake(f"{call.method} {call.name.replace('{id}', 'one')}")
    name = plain[:60].rstrip("_")
    while f"def {name}" in done:
        name += "_too"
    done.add(f"def {name}")
    return name
