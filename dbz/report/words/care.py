"""What the care of an app saves its server, as the cells of a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dbz.runs.schema import CareFigures
from dbz.units import format_bytes, format_ms, format_rate, format_times

CARE_TITLE = "What the care of the app saves"
CARE_COLUMNS = ("Without", "Requests", "Bytes a second", "Server CPU", "p95", "p95 of composites", "Larger answers")

_LARGER = 1.5
"""From so many times the size on an answer is called larger: the same answers vary by less."""


def care_rows(care: Sequence[CareFigures]) -> list[list[str]]:
    """A row for each load, the one with all care first; each figure with how many times that one's it is."""
    whole = care[0]
    return [
        [
            ", ".join(one.without) or "nothing",
            _cell(one.requests_per_s, whole.requests_per_s, format_rate),
            _cell(one.bytes_per_s, whole.bytes_per_s, format_bytes),
            _cell(one.server_cpu_percent, whole.server_cpu_percent, lambda percent: f"{percent:.3g} %"),
            _cell(one.p95_ms, whole.p95_ms, format_ms),
            _cell(one.composite_p95_ms, whole.composite_p95_ms, format_ms),
            _larger(one, whole),
        ]
        for one in care
    ]


def _larger(one: CareFigures, whole: CareFigures) -> str:
    """The operation whose answers grew most; the bytes of others, like pictures, easily hide them."""
    both = one.answer_bytes.keys() & whole.answer_bytes.keys()
    grown = {name: one.answer_bytes[name] / max(whole.answer_bytes[name], 1.0) for name in both}
    most = max(sorted(grown), key=lambda name: grown[name], default="")
    if grown.get(most, 0.0) < _LARGER:
        return "–"
    return f"{most}: {format_bytes(whole.answer_bytes[most])} → {format_bytes(one.answer_bytes[most])}"


def _cell(value: float | None, of_whole: float | None, text: Callable[[float], str]) -> str:
    if value is None:
        return "–"
    return f"{text(value)} ({format_times(value / of_whole)})" if of_whole else text(value)
