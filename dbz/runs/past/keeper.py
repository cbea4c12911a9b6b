"""Putting the older part of a record together while the run goes on: a little at a time, beside everything else.

Each minute that has been over for a while is read from its segments, put together with what its part of the run holds
already, and written anew; when the run has become so long that spans may be longer, the parts are rewritten one by one.
What that costs a minute does not depend on how long the run is.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson

from dbz.measure.latency import interval_log
from dbz.runs.past.merging import Merger, Stretch
from dbz.runs.past.segments import begins_s, complete, origin_of
from dbz.runs.past.spans import Spans, SpanTerms
from dbz.runs.past.store import Past, PastPart, delete, part_of_segment, read_part, read_past, replace_past, write_part
from dbz.runs.storage.folder import RunFolder
from dbz.runs.storage.reading import Record
from dbz.runs.storage.record import END, STEADY
from dbz.runs.storage.sound_lines import WORKER, is_sound
from dbz.runs.storage.tail import RecordTail

_LOG = logging.getLogger(__name__)
_SLICE_S = 0.03
"""So long it works at a time: whoever calls has a load to watch."""
_OLD_S = 30.0
"""Segments wait so long after their end: a worker that lags is still writing."""
_LAST_S = 20.0
"""So long the end of a run waits for it to finish: what is left stays in seconds, and is only longer."""
_AGAIN_S = 60.0
"""Once writing has failed, it is tried again when the run is so much longer."""


class PastKeeper:
    """Follows a run: each `update` goes on with the work for a moment."""

    def __init__(self, folder: RunFolder, started_epoch_s: float, terms: SpanTerms) -> None:
        self._folder = folder
        self._started_epoch_s = started_epoch_s
        self._terms = terms
        self._work: Iterator[None] = iter(())
        self._past = read_past(folder.path)
        self._deleted: set[Path] = set()
        self._failed_s = -_AGAIN_S
        # A name is used once, also by a keeper that goes on where another one ended.
        self._written = max((part.version for part in self._past.parts.values()), default=0)

    def update(self, record: Record) -> None:
        """Go on for a moment; `record` is as far as the caller has read it."""
        self._go_on(record, time.monotonic() + _SLICE_S)

    def finish(self, record: Record) -> None:
        """Put together what is left of whole segments; the run is over."""
        self._go_on(record, time.monotonic() + _LAST_S)

    def _go_on(self, record: Record, until_s: float) -> None:
        try:
            while time.monotonic() < until_s:
                if next(self._work, self) is self:
                    work = self._next(record)
                    if work is None:
                        return
                    self._work = work
        except OSError as error:
            # The segments stay: nothing is lost, only longer.
            _LOG.warning("the older part of the record could not be put together: %s", error)
            self._work, self._failed_s = iter(()), record.last_s

    def _next(self, record: Record) -> Iterator[None] | None:
        """The next piece of work; None while there is none."""
        if STEADY not in record.marks or record.last_s < self._failed_s + _AGAIN_S:
            return None
        span_s = self._terms.length_s(record.last_s - record.marks[STEADY])
        # The end of the judged part is known long before what came after it is old enough.
        ends = [record.marks[END] - record.marks[STEADY]] if END in record.marks else []
        spans = Spans(record.marks[STEADY], span_s, tuple(sorted((*self._terms.cuts_s, *ends))))
        segments = [
            path
            for path in complete((*self._folder.worker_logs(), *self._folder.worker_lines()))
            if begins_s(origin_of(path)[1] + 1) <= record.last_s - _OLD_S and path not in self._deleted
        ]
        if span_s > 1 and segments:
            number = min(part_of_segment(origin_of(path)[1]) for path in segments)
            chosen = [path for path in segments if part_of_segment(origin_of(path)[1]) == number]
            return self._put_together(number, chosen, spans)
        coarser = (number for number, part in self._past.parts.items() if part.span_s < span_s)
        number = min(coarser, default=-1)
        return self._put_together(number, [], spans) if number >= 0 else None

    def _put_together(self, number: int, segments: list[Path], spans: Spans) -> Iterator[None]:
        """Write a part anew, with what it holds and what the segments add."""
        folder, old = self._folder.path, self._past.parts.get(number)
        merger = Merger(spans)
        if old is not None:
            yield from merger.add_stretch(read_part(folder, old))
        new = [path for path in segments if not self._past.has(path)]
        for path in new:
            yield from _read_segment(path, merger)
        stretch = Stretch()
        for step in merger.result():
            stretch = step or stretch
            yield
        self._written += 1
        part = PastPart(f"past-{number:03d}.{self._written}", spans.length_s)
        try:
            yield from write_part(folder, part, stretch, self._started_epoch_s)
            past = self._with(number, part, new)
            replace_past(folder, past)
        except OSError:
            delete(folder, part)
            raise
        self._past = past
        delete(folder, old, segments)
        self._deleted.update(segments)

    def _with(self, number: int, part: PastPart, segments: list[Path]) -> Past:
        covers = dict(self._past.covers)
        for worker, segment in map(origin_of, segments):
            covers[worker] = max(segment, covers.get(worker, -1))
        return replace(self._past, parts={**self._past.parts, number: part}, covers=covers)


def _read_segment(path: Path, merger: Merger) -> Iterator[None]:
    worker, _ = origin_of(path)
    for text in RecordTail(path).new_lines():
        yield
        try:
            if path.suffix == ".hlog":
                interval = interval_log.parse(text)
                if interval is not None:
                    merger.add_interval(interval)
                continue
            line = orjson.loads(text)
        except ValueError:
            line = None
        if is_sound(line, WORKER):
            merger.add_line(worker, line)
        else:
            merger.add_damaged(1)
