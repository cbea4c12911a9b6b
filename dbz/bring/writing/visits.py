"""The text of a scenario whose users follow a learnt chain: a method for each operation, called as the chain goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath

from dbz.bring.choosing import REDIRECTS
from dbz.bring.steps import HttpStep, Script
from dbz.bring.values import comment, docstring, quoted
from dbz.bring.writing.requests import request_lines
from dbz.bring.writing.scenario import sample_lines, task_name
from dbz.bring.writing.sockets import in_words

_WITH_BODY = ("POST", "PUT", "PATCH")


def visits_text(script: Script, about: str, model: PurePath) -> str:
    """The whole file; `about` says in a sentence what it was made from, `model` is the chain's path from its folder."""
    steps = _operations(script)
    done: set[str] = set()
    methods = {step.operation: task_name(step, done) for step in steps}
    if model.parent == PurePath():
        path = f"Path(__file__).with_name({quoted(model.name)})"
    else:
        path = f"Path(__file__).parent / {quoted(model.as_posix())}"
    imports = f"from dbz.users import HttpUser, constant, read_behaviour, {'secret, ' if script.secrets else ''}task"
    parts = [
        docstring(about), "\n".join(map(comment, script.notes)), "from pathlib import Path", imports,
        "\n".join(f'{name} = secret("{name}")' for name in script.secrets),
        f"BEHAVIOUR = read_behaviour({path})",
        "\n".join(_calls(methods)), "\n".join(sample_lines(script)),
    ]  # fmt: skip
    lines = "\n".join(_class(script, steps, methods))
    return "\n\n".join(filter(None, parts)) + "\n\n\n" + lines + "\n"


def bodies_missing(script: Script) -> list[str]:
    """The operations that have bodies, which a log does not keep."""
    return [step.operation for step in _operations(script) if step.method in _WITH_BODY]


def _operations(script: Script) -> list[HttpStep]:
    """The first step of each operation."""
    (flow,) = script.flows
    steps = {step.operation: step for step in reversed(flow.steps) if isinstance(step, HttpStep)}
    for step in steps.values():
        step.follows = step.status not in REDIRECTS
    return [steps[operation] for operation in sorted(steps)]


def _calls(methods: dict[str, str]) -> Iterator[str]:
    yield "CALLS = {"
    for operation, method in methods.items():
        yield f"    {quoted(operation)}: {quoted(method)},"
    yield "}"
    yield '"""The operations of the model, and what makes each of them."""'


def _class(script: Script, steps: Sequence[HttpStep], methods: dict[str, str]) -> Iterator[str]:
    yield "class Visitor(HttpUser):"
    yield '    """Goes from request to request as the visitors of the log did; met in the midst of a visit."""'
    yield ""
    if script.origin:
        yield f"    host = {quoted(script.origin)}"
    yield "    wait_time = constant(0)  # the pauses are those of the model"
    yield from ("", "    def on_start(self):", '        """Begin somewhere in a visit."""')
    yield "        self.steps = BEHAVIOUR.steps(self.random)"
    yield from (
        "",
        "    @task",
        "    def go_on(self):",
        '        """Pause as people did, then make the next request."""',
    )
    yield "        pause_s, operation = next(self.steps)"
    yield "        self.pause(pause_s, pause_s)"
    yield "        getattr(self, CALLS[operation])()"
    for step in steps:
        yield from ("", f"    def {methods[step.operation]}(self):")
        yield f'        """{in_words(step.operation)}."""'
        if step.method in _WITH_BODY:
            yield "        # A log keeps no bodies: give it one."
        yield from request_lines(step, among_paths=step.operation in script.paths)
