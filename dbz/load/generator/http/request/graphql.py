"""GraphQL over HTTP: what a request's operations are called, and errors in an answer whose status is 200.

A request is one when it carries a document that parses as GraphQL (or the hash of a persisted one) where the protocol
has it: `query` in a JSON body, in each entry of a batch, or in the parameters of a GET.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

import orjson

from dbz.load.generator.http.response import Response
from dbz.protocols.graphql import operations_in

_SHOWN = 4
"""So many operations of a batch are named."""
_LONGEST_ERROR = 160


def operations_of(url: str, options: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    """What the operations of a request are called: `Posts`, `{posts}`, `[Posts, Like ×2]`; empty for other requests."""
    body = options.get("json")
    if body is None and (data := options.get("data")):
        body = _json_of(data, options.get("headers") or headers)
    if body is None:
        body = _parameters(url, options.get("params"))
    return _titles(body)


def _json_of(data: Any, headers: Mapping[str, str]) -> Any:
    """The tree in a JSON text, if it may hold a document."""
    if not isinstance(data, str | bytes) or not any(
        name.lower() == "content-type" and value and "json" in value for name, value in headers.items()
    ):
        return None
    raw = data.encode(errors="replace") if isinstance(data, str) else data
    if b'"query"' not in raw and b'"persistedQuery"' not in raw:
        return None
    try:
        return orjson.loads(raw)
    except ValueError:
        return None


def _parameters(url: str, params: Any) -> Any:
    """The parameters of a GET as the body that they stand for."""
    if isinstance(params, Mapping):
        found = dict(params)
    elif "query=" in url or "persistedQuery" in url:
        found = {name: values[0] for name, values in parse_qs(url.partition("?")[2]).items()}
    else:
        return None
    extensions = found.get("extensions")
    if isinstance(extensions, str) and "persistedQuery" in extensions:
        try:
            found["extensions"] = orjson.loads(extensions)
        except ValueError:
            return None
    return found


def _titles(body: Any) -> str:
    if isinstance(body, Mapping):
        return title_of(body)
    if not isinstance(body, list) or not body or not all(isinstance(entry, Mapping) for entry in body):
        return ""
    titles = [title_of(entry) for entry in body]
    if not all(titles):
        return ""
    counts = {title: titles.count(title) for title in titles}
    shown = [f"{title} ×{count}" if count > 1 else title for title, count in list(counts.items())[:_SHOWN]]
    return f"[{', '.join([*shown, *(['…'] if len(counts) > _SHOWN else [])])}]"


def title_of(entry: Mapping[str, Any]) -> str:
    """What one GraphQL request is called: by its `operationName`, or else by its first operation; empty for none."""
    document, named = entry.get("query"), entry.get("operationName")
    if isinstance(document, str):
        operations = operations_in(document)
        if not operations:
            return ""
        return named if isinstance(named, str) and named else operations[0].title
    extensions = entry.get("extensions")
    persisted = extensions.get("persistedQuery") if isinstance(extensions, Mapping) else None
    if not isinstance(persisted, Mapping):
        return ""
    return named if isinstance(named, str) and named else f"{{{str(persisted.get('sha256Hash', '…'))[:8]}}}"


def problem_in(response: Response) -> str:
    """What an answer says went wrong; empty when it says nothing, or is none of GraphQL's."""
    if response.stream is not None or b'"errors"' not in response.body:
        return ""
    try:
        tree = response.json()
    except ValueError:
        return ""
    results = tree if isinstance(tree, list) else [tree]
    problems = [problem for result in results if (problem := _problem(result))]
    if not problems:
        return ""
    return problems[0] if len(results) == 1 else f"{problems[0]} ({len(problems)} of {len(results)} operations)"


def strict_problem_in(response: Response) -> str:
    """The same for what must be an answer of GraphQL."""
    if response.stream is not None:
        return ""
    try:
        tree = response.json()
    except ValueError:
        return "GraphQL: the answer is not JSON"
    if not isinstance(tree, Mapping) or not ({"data", "errors"} & tree.keys()):
        return "GraphQL: the answer has neither data nor errors"
    problem = problem_in(response)
    return problem or ("GraphQL: errors of an unknown form" if tree.get("errors") else "")


def _problem(result: Any) -> str:
    errors = result.get("errors") if isinstance(result, Mapping) else None
    if not isinstance(errors, Sequence) or not errors or not isinstance(errors[0], Mapping):
        return ""
    first = errors[0]
    message = " ".join(str(first.get("message", "without a message")).split())[:_LONGEST_ERROR]
    path = first.get("path")
    where = (
        f" at {'.'.join('*' if isinstance(step, int) else str(step) for step in path)}"
        if isinstance(path, list) and path
        else ""
    )
    more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
    partial = ", partial data" if _holds(result.get("data")) else ""
    return f"GraphQL{partial}: {message}{where}{more}"


def _holds(data: Any) -> bool:
    """Whether there is data beside the errors: some field that is not null."""
    return any(value is not None for value in data.values()) if isinstance(data, Mapping) else data is not None
