"""A stretch of a run that goes on before and after it, as a record of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dbz.measure.latency.series import AFTER_THE_END
from dbz.runs.fold import inside
from dbz.runs.pages import begun_in
from dbz.runs.schema import Window
from dbz.runs.storage.reading import Record


def part_of(record: Record, window: Window) -> Record:
    """What was written of a window. It has no marks: the run neither begins nor ends with it.

    Requests of users who were stopped meanwhile belong to no window: they were given up by those users.
    """
    return replace(
        record,
        intervals=[
            each
            for each in record.intervals
            if inside(each.start_s, each.length_s, window) and each.series.kind not in AFTER_THE_END
        ],
        workers={
            worker: [line for line in lines if _touches(line, window)] for worker, lines in record.workers.items()
        },
        server=[line for line in record.server if window.start_s <= line["t"] <= window.end_s],
        machine=[line for line in record.machine if window.start_s <= line["t"] <= window.end_s],
        answered={second for second in record.answered if window.start_s <= second < window.end_s},
        pages=[line for line in record.pages if begun_in(line, window)],
        marks={},
    )


def _touches(line: dict[str, Any], window: Window) -> bool:
    """Whether a part of the second that a line is about lies in a window."""
    begun_s: float = line["t"] - line.get("dt", 1.0)
    return begun_s < window.end_s and bool(line["t"] > window.start_s)


def is_written(record: Record, until_s: float) -> bool:
    """Whether every worker has written of the time until a second of the run."""
    last = [lines[-1]["t"] if lines else 0.0 for lines in record.workers.values()]
    return bool(last) and min(last) >= until_s
