"""What a scenario demands of an answer, and what it takes out of one."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from dbz.load.generator.http.response import Response
from dbz.protocols import json_path

_LONGEST_SHOWN = 80
_MISSING = object()


class CheckFailedError(Exception):
    """An answer is not what the scenario demands."""


class ExtractionError(Exception):
    """An answer does not hold what the scenario takes out of it."""


def problem_of(
    answer: Response,
    *,
    status: int | Collection[int] | None = None,
    json: Mapping[str, Any] | None = None,
    text: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> str:
    """What is wrong with an answer, in a few words; empty when nothing is.

    `status` is what it must be, or one of several; `json` has a value for each JSONPath (a callable judges the value);
    `text` stands somewhere in the body; `headers` have these values.
    """
    if answer.error:
        return answer.error
    allowed = {status} if isinstance(status, int) else set(status or ())
    if allowed and answer.status_code not in allowed:
        return f"HTTP {answer.status_code}, not {' or '.join(map(str, sorted(allowed)))}"
    if text is not None and text not in answer.text:
        return f"no {shown(text)} in the body"
    for name, value in (headers or {}).items():
        if answer.headers.get(name) != value:
            return f"{name} is {shown(answer.headers.get(name))}, not {shown(value)}"
    return _json_problem(answer, json) if json else ""


def _json_problem(answer: Response, wanted: Mapping[str, Any]) -> str:
    try:
        tree = answer.json()
    except ValueError:
        return "the body is not JSON"
    for path, value in wanted.items():
        found = json_path.find(path, tree)
        actual = found[0] if found else _MISSING
        if actual is _MISSING:
            return f"{path} is missing"
        if callable(value):
            if not value(actual):
                return f"{path} is {shown(actual)}, which {getattr(value, '__name__', 'the check')} refuses"
        elif actual != value or isinstance(actual, bool) is not isinstance(value, bool):
            return f"{path} is {shown(actual)}, not {shown(value)}"
    return ""


def extract(answer: Response, *, json: str = "", regex: str = "", header: str = "") -> Any:
    """What an answer holds at a JSONPath, in the first group of a regular expression, or in a header.

    `ExtractionError`, which counts as an error of the run, when it holds no such thing.
    """
    if json:
        try:
            found = json_path.find(json, answer.json())
        except ValueError as error:
            raise ExtractionError(f"{answer.operation}: {error}") from error
        if found:
            return found[0]
    elif regex:
        match = re.search(regex, answer.text)
        if match:
            return match[1] if match.re.groups else match[0]
    elif answer.headers.get(header) is not None:
        return answer.headers[header]
    raise ExtractionError(f"{answer.operation}: no {json or regex or header} in the answer")


def shown(value: Any) -> str:
    """A value as it stands in a message, cut to what can be read."""
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"
