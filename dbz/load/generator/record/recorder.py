"""Recording samples in memory and handing them to the record once a second.

Recording one sample is two dictionary operations; everything else happens once a second and series.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from dbz.load.generator.data.secrets import masked
from dbz.load.generator.net.limits import OWN_LIMIT
from dbz.load.generator.record.objections import Objections
from dbz.load.generator.record.sinks import Sink
from dbz.masking import masked_text
from dbz.measure.latency.histogram import HALF_BITS, HIGHEST_US, SUB_BITS, SUB_MASK, Histogram, index_of
from dbz.measure.latency.interval_log import Interval
from dbz.measure.latency.series import GENERATOR, Series
from dbz.measure.latency.tags import NO_TAGS, Tags

_MAX_ERROR_GROUPS = 200
_MAX_ERROR_LENGTH = 300
OTHER_ERRORS = "(more kinds of errors than can be kept apart)"


Counts = dict[tuple[str, str], dict[int, int]]
"""By kind and name: how many samples are at which position of a histogram."""
ErrorGroup = tuple[str, str, str]
"""Kind, name, error."""


class Samples:
    """What was recorded since it was last taken."""

    def __init__(self) -> None:
        self._ok: Counts = {}
        self._failed: Counts = {}
        self._errors: Counter[ErrorGroup] = Counter()
        self._counters: dict[str, list[float]] = {}
        self._known_errors: dict[ErrorGroup, ErrorGroup] = {}
        self.objections = Objections()

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

    def successes(self, kind: str, name: str, counts_us: Mapping[int, int]) -> None:
        """Record as many attempts that succeeded in so many microseconds."""
        if counts_us:
            counts = self._ok.setdefault((kind, name), {})
            for value_us, times in counts_us.items():
                index = index_of(min(value_us, HIGHEST_US))
                counts[index] = counts.get(index, 0) + times

    def failure(self, kind: str, name: str, seconds: float, error: str) -> None:
        """Record an attempt that failed, and why."""
        if OWN_LIMIT in error:
            self.note_error(kind, name, error)  # it was never made: the target has no part in it
            return
        counts = self._failed.setdefault((kind, name), {})
        index = index_of(min(max(int(seconds * 1e6), 0), HIGHEST_US))
        counts[index] = counts.get(index, 0) + 1
        self.note_error(kind, name, error)

    def note_error(self, kind: str, name: str, error: str) -> None:
        """Count an error that has no duration."""
        if OWN_LIMIT in error:
            kind = GENERATOR
        group = (kind, name, error)
        known = self._known_errors.get(group)
        if known is None:
            full = len(self._known_errors) >= _MAX_ERROR_GROUPS
            text = OTHER_ERRORS if full else written(error)[:_MAX_ERROR_LENGTH]
            known = (kind, written(name), text)
            self._known_errors[known if full else group] = known
        self._errors[known] += 1

    def count(self, name: str, amount: float) -> None:
        """Count something up."""
        counter = self._counters.setdefault(name, [0, 0])
        counter[0] += 1
        counter[1] += amount

    def take_counters(self) -> dict[str, list[float]]:
        """By name the calls and the amount since the last call of this."""
        taken, self._counters = self._counters, {}
        return {written(name): counter for name, counter in taken.items()}

    def take(self) -> tuple[Counts, Counts, Counter[ErrorGroup]]:
        """Successes, failures and errors since the last call."""
        taken = self._ok, self._failed, self._errors
        self._ok, self._failed, self._errors = {}, {}, Counter()
        return taken


class TaggedSamples(Samples):
    """The samples with some tags."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder
        self.objections = recorder.objections

    @property
    def now_s(self) -> float:
        """Seconds since the start of the run."""
        return self._recorder.now_s


class Recorder(Samples):
    """The samples of one worker; `started_s` is the start of the run on the monotonic clock."""

    def __init__(self, sink: Sink, started_s: float) -> None:
        super().__init__()
        self._started_s = started_s
        self._sink = sink
        self._written_s = 0.0
        self._tagged: dict[tuple[str, str], TaggedSamples] = {}
        self._of_locust: dict[tuple[str, str], TaggedSamples] = {}
        self.taken: Callable[[Counts, Counts, Counter[ErrorGroup]], None] = lambda *_: None
        """Called with what is about to be written and is not in Locust's statistics."""

    @property
    def now_s(self) -> float:
        """Seconds since the start of the run."""
        return time.monotonic() - self._started_s

    def tagged(self, network: str = "", service: str = "") -> TaggedSamples:
        """Where what has these tags is recorded; it is written with this."""
        known = self._tagged.get((network, service))
        if known is None:
            known = self._tagged[network, service] = TaggedSamples(self)
        return known

    def of_locust(self, service: str = "") -> TaggedSamples:
        """The same for what came through Locust's request event, and so is in Locust's own statistics already."""
        return self._of_locust.setdefault(("", service), TaggedSamples(self))

    def write(self, line: dict[str, Any]) -> None:
        """Write what was recorded since the last call, with one line of what else is known of that time."""
        start_s, self._written_s = self._written_s, self.now_s
        length_s = self._written_s - start_s
        parts: dict[tuple[str, str], tuple[Counts, Counts]] = {}
        errors: Counter[ErrorGroup] = Counter()
        for tags, samples in ((NO_TAGS, self), *self._tagged.items()):
            ok, failed, errors_there = samples.take()
            self.taken(ok, failed, errors_there)
            errors.update(errors_there)
            parts[tags] = ok, failed
        for tags, samples in self._of_locust.items():
            ok, failed, errors_there = samples.take()
            errors.update(errors_there)
            known = parts.setdefault(tags, ({}, {}))
            _merge(known[0], ok)
            _merge(known[1], failed)
        intervals = (
            Interval(
                Series(kind, written(name), is_failed), start_s, length_s, Histogram(counts), Tags(*map(written, tags))
            )
            for tags, outcomes in parts.items()
            for is_failed, part in zip((False, True), outcomes, strict=True)
            for (kind, name), counts in part.items()
        )
        rows = [[*group, count] for group, count in errors.items()]
        if counters := self.take_counters():
            line = {**line, "counters": counters}
        line = {**line, **self.objections.take(written)}
        self._sink.write(intervals, {"t": round(self._written_s, 3), "dt": round(length_s, 3), **line, "errors": rows})

    def close(self) -> None:
        """The record is complete."""
        self._sink.close()


def _merge(own: Counts, other: Counts) -> None:
    for series, counts in other.items():
        into = own.setdefault(series, {})
        for index, count in counts.items():
            into[index] = into.get(index, 0) + count


def written(text: str) -> str:
    """A text as it may be written down: without the scenario's own secrets, and without those that stand in URLs.

    Half an emoji is no text that a file could hold: it becomes its number.
    """
    whole = text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
    return _masked_urls(masked(whole))


_masked_urls = lru_cache(maxsize=10_000)(masked_text)
