"""Requests as Python: one call of the client each, and what is kept of its answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dbz.bring.recording import FORM, JSON, MULTIPART, is_refusal
from dbz.bring.steps import HttpStep, Keep
from dbz.bring.values import Expression, Formatted, code, quoted

_WIDTH = 116
_VERBS = ("get", "post", "put", "patch", "delete", "head", "options")


def request_lines(call: HttpStep, *, among_paths: bool = False) -> Iterator[str]:
    """The lines of a request; with `among_paths` its path is one of those that were seen."""
    choice = Expression(f"self.random.choice(PATHS[{quoted(call.operation)}])")
    path = choice if among_paths else call.path
    arguments = [code(path), *_sent(call, with_query=not among_paths), *_judged(call, path)]
    verb = call.method.lower()
    known = verb in _VERBS
    request = f"self.client.{verb}" if known else f'self.client.request("{call.method}", '
    text = called(request, arguments, 8) if known else f"{request}{', '.join(arguments)})"
    if is_refusal(call.status):
        yield f"        with {text} as answer:"
        yield f"            if answer.status_code == {call.status}:  # as it was recorded"
        yield "                answer.success()"
    else:
        yield f"        {'answer = ' if call.keeps else ''}{text}"
    yield from kept(call.keeps)


def _sent(call: HttpStep, *, with_query: bool) -> Iterator[str]:
    if call.query and with_query:
        yield f"params={code(_pairs(call.query), 12)}"
    if call.body.kind == JSON:
        yield f"json={code(call.body.value, 12)}"
    elif call.body.kind == FORM:
        yield f"data={code(_pairs(call.body.value), 12)}"
    elif call.body.kind == MULTIPART:
        yield f"files={_parts(call.body.value)}"
    elif call.body:
        yield f"data={code(call.body.value, 12)}"
        call.headers.setdefault("content-type", call.body.media_type or "text/plain")
    if call.headers:
        yield f"headers={code(call.headers, 12)}"


def _judged(call: HttpStep, path: str | Formatted | Expression) -> Iterator[str]:
    if call.name != path:
        yield f"name={quoted(call.name)}"
    if not call.follows:
        yield "allow_redirects=False"
    if is_refusal(call.status):
        yield "catch_response=True"


def kept(keeps: Sequence[Keep]) -> Iterator[str]:
    """The lines that keep values of what came."""
    for keep in keeps:
        yield f"        self.{keep.attribute} = {keep.code}"


def called(function: str, arguments: Sequence[str], indent: int) -> str:
    """A call: on one line where it fits, else with a line for each argument."""
    flat = f"{function}({', '.join(arguments)})"
    if indent + len(flat) <= _WIDTH and "\n" not in flat:
        return flat
    inner = " " * (indent + 4)
    return f"{function}(\n" + "".join(f"{inner}{argument},\n" for argument in arguments) + " " * indent + ")"


def _pairs(pairs: Sequence[tuple[str, object]]) -> object:
    """The pairs as a mapping, or as a list where a name is repeated."""
    return dict(pairs) if len({name for name, _ in pairs}) == len(pairs) else [list(pair) for pair in pairs]


def _parts(pairs: Sequence[tuple[str, object]]) -> str:
    """The parts of a multipart body, as a list where a name is repeated."""
    parts = [(name, Expression(_part(value))) for name, value in pairs]
    if len(dict(parts)) == len(parts):
        return code(dict(parts), 12)
    return code([Expression(f"({code(name)}, {part.code})") for name, part in parts], 12)


def _part(value: object) -> str:
    """A part of a multipart body: its content is that of the name, since recordings hold no files."""
    return f"(None, {code(value)})"
