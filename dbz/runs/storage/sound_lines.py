"""Whether a line of a record is one that a run writes: anything else is damaged, and is counted instead of read.

A disk that was full, an editor or another program can leave lines that are JSON and still nonsense. Whoever computes
from a record may then rely on the types of what stands in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import chain
from typing import Any

from dbz.protocols.objections import CONTENTS
from dbz.runs.storage.record import EXIT_CODE

LONGEST_S = 1e7
"""No run takes longer than this, some four months; seconds are counted one by one."""
WORKER, SERVER, MACHINE, MARK, VISIT = "worker", "server", "machine", "mark", "visit"
"""The kinds of lines."""
_REQUIRED = {
    WORKER: ("t",),
    SERVER: ("t",),
    MACHINE: ("t", "dt", "cores", "own", "steal"),
    MARK: ("t",),
    VISIT: ("t",),
}
_OF_AN_OPERATION = 7
"""So many sums there are of the answers of an operation, as `AnswerSums` has them."""
_OF_A_COUNTER = 2
"""How often it was counted up, and by how much."""
_OF_A_BREAKER = 3
_OF_AN_EVENT = 6
"""So many counts of the messages of an event there are: sent, expected, arrived, lost, twice, out of order."""


def is_sound(line: Any, kind: str) -> bool:
    """Whether a line that was read as JSON has the shape of its kind."""
    if not isinstance(line, dict) or not all(_is_number(line.get(key)) for key in _REQUIRED[kind]):
        return False
    length_s = line.get("dt", 0)
    if not (_is_number(length_s) and 0 <= line["t"] <= LONGEST_S and 0 <= length_s <= LONGEST_S):
        return False
    if kind == MARK:
        needed = "code" if line.get("mark") == EXIT_CODE else "t"
        return isinstance(line.get("mark"), str) and _is_number(line.get(needed)) and _is_number(line.get("count", 0))
    if kind == VISIT:
        return _is_visit(line)
    for key, value in line.items():
        check = _CHECKS.get(key)
        if check is not None and not check(value):
            return False
    return True


_OF_A_VISIT = (
    *("ttfb_ms", "fcp_ms", "lcp_ms", "inp_ms", "cls", "load_event_ms", "cpu_share"),
    *("bytes", "requests", "failed_requests", "script_errors"),
)


def _is_visit(line: Mapping[str, Any]) -> bool:
    """Whether a line is a visit of a page, or says that the browser was lost."""
    texts = all(isinstance(line.get(key, ""), str) for key in ("page", "error", "clicked", "trouble", "browser"))
    lists = all(
        isinstance(line.get(key, []), list) and all(isinstance(text, str) for text in line.get(key, []))
        for key in ("problems", "blocked")
    )
    taken = line.get("took_ms" if line.get("error") else "load_ms", 0 if "page" not in line else None)
    figures = [line[key] for key in _OF_A_VISIT if line.get(key) is not None]
    return texts and lists and all(_is_number(value) and value >= 0 for value in (taken, *figures))


def _is_number(value: Any) -> bool:
    # As JSON has them: a bool has a type of its own, and what is no number is not in the range either.
    return (type(value) is int or type(value) is float) and -1e18 < value < 1e18


def _may_be_number(value: Any) -> bool:
    """Whether it is a number, or null because the target did not say it."""
    return value is None or _is_number(value)


def _are_services(rows: Any) -> bool:
    """Whether there are figures of services by name, some of which may be null."""
    return isinstance(rows, dict) and all(
        isinstance(row, dict) and all(value is None or (_is_number(value) and value >= 0) for value in row.values())
        for row in rows.values()
    )


def _are_breakers(rows: Any) -> bool:
    """Whether there is a list of service, instance and state."""
    return isinstance(rows, list) and all(
        isinstance(row, list) and len(row) == _OF_A_BREAKER and all(isinstance(text, str) for text in row)
        for row in rows
    )


def _are_rows(rows: Any, length: int) -> bool:
    """Whether there is a list of so many numbers by name."""
    if not isinstance(rows, dict):
        return False
    lists = rows.values()
    if not (_ONLY_LISTS.issuperset(map(type, lists)) and all(map(length.__eq__, map(len, lists)))):
        return False
    numbers = list(chain.from_iterable(lists))
    if not _ONLY_NUMBERS.issuperset(map(type, numbers)):
        return False
    return not numbers or (min(numbers) > -1e18 and max(numbers) < 1e18)


def _are_queries(queries: Any) -> bool:
    return isinstance(queries, dict) and all(
        isinstance(query, Mapping)
        and _is_number(query.get("sum_s"))
        and isinstance(query.get("counts"), dict)
        and all(_is_bound(bound) and _is_number(count) for bound, count in query["counts"].items())
        for query in queries.values()
    )


def _is_bound(text: str) -> bool:
    """Whether a text is the upper bound of a bucket, which may be infinite."""
    try:
        return float(text) >= 0
    except ValueError:
        return False


def _are_texts(texts: Any) -> bool:
    return isinstance(texts, dict) and all(isinstance(text, str) for text in texts.values())


def _are_sources(sources: Any) -> bool:
    """Where figures come from: origin, metric and note of each."""
    return isinstance(sources, dict) and all(
        _are_texts(source) and source.keys() <= {"origin", "metric", "note"} for source in sources.values()
    )


def _are_errors(errors: Any) -> bool:
    """Groups of failures: kind, operation, message, and how many."""
    return isinstance(errors, list) and all(
        isinstance(group, list)
        and len(group) == 4
        and all(isinstance(text, str) for text in group[:3])
        and _is_number(group[3])
        for group in errors
    )


_ONLY_LISTS, _ONLY_NUMBERS = frozenset((list,)), frozenset((int, float))
_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("users", "cpu_percent", "begun", "late", "dropped", "died", "running"), _is_number),
    **dict.fromkeys(("clock_error_ms", "count", "others"), _is_number),
    **dict.fromkeys(("memory_bytes", "cpu_share", "connections"), _may_be_number),
    **dict.fromkeys(("event_loop_lag_ms", "active_requests"), _may_be_number),
    **dict.fromkeys(("deliveries", "drained"), partial(_are_rows, length=_OF_AN_EVENT)),
    "astray": partial(_are_rows, length=1),
    "answers": partial(_are_rows, length=_OF_AN_OPERATION),
    "counters": partial(_are_rows, length=_OF_A_COUNTER),
    "contents": partial(_are_rows, length=len(CONTENTS)),
    "queries": _are_queries,
    **dict.fromkeys(("errors", "objections"), _are_errors),
    "sources": _are_sources,
    "missing": _are_texts,
    "breakers": _are_breakers,
    "services": _are_services,
}
"""What stands under a name in the lines of workers, of the target and of the machine."""
