"""Recording samples in memory and handing them to the record once a second.

Recording one sample is two dictionary operations; everything else happens once a second and series.
"""

from __future__ import annotations

import time
from collections import Counter
from functools import lru_cache
from typing import Any

from dbz.load.generator.data.secrets import masked
from dbz.load.generator.record.sinks import Sink
from dbz.masking import masked_text
from dbz.measure.latency.histogram import HALF_BITS, HIGHEST_US, SUB_BITS, SUB_MASK, Histogram, index_of
from dbz.measure.latency.interval_log import Interval
from dbz.measure.latency.series import Series

_MAX_ERROR_GROUPS = 200
_MAX_ERROR_LENGTH = 300
OTHER_ERRORS = "(more kinds of errors than can be kept apart)"


class Recorder:
    """The samples of one worker; `started_s` is the start of the run on the monotonic clock."""

    def __init__(self, sink: Sink, started_s: float) -> None:
        self._started_s = started_s
        self._sink = sink
        self._ok: dict[tuple[str, str], dict[int, int]] = {}
        self._failed: dict[tuple[str, str], dict[int, int]] = {}
        self._errors: Counter[tuple[str, str, str]] = Counter()
        self._known_errors: set[tuple[str, str, str]] = set()
        self._written_s = 0.0

    @property
    def now_s(self) -> float:
        """Seconds since the start of the run."""
        return time.monotonic() - self._started_s

    def success(self, kind: str, name: str, seconds: float) -> None:
        """Record an attempt that succeeded."""
        value_us = int(seconds * 1e6)
        if not 0 <= value_us <= HIGHEST_US:
            value_us = 0 if value_us < 0 else HIGHEST_US
        # `index_of`, written out: this runs for every sample, and a call would cost as much as the rest. SUB_MASK keeps
        # small values in the first bucket, whose positions are exact; above it a bucket is as wide as its power of two.
        bucket = (value_us | SUB_MASK).bit_length() - SUB_BITS
        index = (bucket << HALF_BITS) + (value_us >> bucket)
        counts = self._ok.get((kind, name))
        if counts is None:
            counts = self._ok[kind, name] = {}
        counts[index] = counts.get(index, 0) + 1

    def failure(self, kind: str, name: str, seconds: float, error: str) -> None:
        """Record an attempt that failed, and why."""
        counts = self._failed.setdefault((kind, name), {})
        index = index_of(min(max(int(seconds * 1e6), 0), HIGHEST_US))
        counts[index] = counts.get(index, 0) + 1
        self.note_error(kind, name, error)

    def note_error(self, kind: str, name: str, error: str) -> None:
        """Count an error that has no duration."""
        group = (kind, _written(name), _written(error)[:_MAX_ERROR_LENGTH])
        if group not in self._known_errors:
            if len(self._known_errors) >= _MAX_ERROR_GROUPS:
                group = (kind, name, OTHER_ERRORS)
            self._known_errors.add(group)
        self._errors[group] += 1

    def write(self, line: dict[str, Any]) -> None:
        """Write what was recorded since the last call, with one line of what else is known of that time."""
        ok, self._ok = self._ok, {}
        failed, self._failed = self._failed, {}
        errors, self._errors = self._errors, Counter()
        start_s, self._written_s = self._written_s, self.now_s
        length_s = self._written_s - start_s
        intervals = (
            Interval(Series(kind, _written(name), is_failed), start_s, length_s, Histogram(counts))
            for is_failed, part in ((False, ok), (True, failed))
            for (kind, name), counts in part.items()
        )
        rows = [[*group, count] for group, count in errors.items()]
        self._sink.write(intervals, {"t": round(self._written_s, 3), "dt": round(length_s, 3), **line, "errors": rows})

    def close(self) -> None:
        """The record is complete."""
        self._sink.close()


def _written(text: str) -> str:
    """A text as it may be written down: without the scenario's own secrets, and without those that stand in URLs."""
    return _masked_urls(masked(text))


_masked_urls = lru_cache(maxsize=10_000)(masked_text)
