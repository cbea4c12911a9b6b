"""A digest of a finished run: its whole record put together by the blocks of its judged part.

A comparison of many runs needs what each measured, block by block, and no seconds. The digest is made once, when the
run has ended, and stands beside the record; the figures of the run are exactly the same from both. It says from which
files it was made, and counts as long as they are as they were.

digest.json, digest.hlog, digest.jsonl.gz
"""

from __future__ import annotations

import logging
from contextlib import suppress

import orjson

from dbz.measure.latency.series import PAGE
from dbz.runs.past.merging import Merger
from dbz.runs.past.segments import origin_of
from dbz.runs.past.spans import Spans, block_length_s
from dbz.runs.past.store import FILE, Past, PastPart, delete, write_part
from dbz.runs.storage.folder import RunFolder
from dbz.runs.storage.reading import Record, RecordReader, read_record, without_collections

_LOG = logging.getLogger(__name__)
_FILE = "digest.json"
_SCHEMA = "dbz.digest/1"
_NAME = "digest"
_WORTH_ROWS = 10_000
"""A record of fewer histograms is read as quickly as its digest."""


def write_digest(folder: RunFolder, record: Record, started_epoch_s: float) -> None:
    """Make the digest of a run that has ended, if it is worth it; a disk that is full has none."""
    if len(record.intervals) < _WORTH_ROWS:
        return
    window = record.window
    span_s = block_length_s(window.seconds)
    merger = Merger(Spans(window.start_s, span_s, cuts_s=(window.seconds,)))
    merger.add_answered(record.answered)
    merger.add_damaged(record.damaged_lines)
    for interval in record.intervals:
        if interval.series.kind != PAGE:  # visits of pages are read from their own lines
            merger.add_interval(interval)
    for worker, lines in record.workers.items():
        for line in lines:
            merger.add_line(worker, line)
    part = PastPart(_NAME, span_s)
    try:
        for stretch in merger.result():
            if stretch is not None:
                for _ in write_part(folder.path, part, stretch, started_epoch_s):
                    pass
        plain = {"schema": _SCHEMA, "span_s": span_s, "sources": _sources(folder)}
        (folder.path / _FILE).write_bytes(orjson.dumps(plain))
    except OSError as error:
        _LOG.warning("the run has no digest: %s", error)
        delete(folder.path, part, [folder.path / _FILE])


def read_measured(folder: RunFolder) -> Record:
    """The record of a run for those who need no seconds of it: its digest, or the record itself where there is none."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        plain = orjson.loads((folder.path / _FILE).read_bytes())
        if plain["schema"] == _SCHEMA and plain["sources"] == _sources(folder):
            covers: dict[str, int] = {}
            for worker, segment in map(origin_of, (*folder.worker_logs(), *folder.worker_lines())):
                covers[worker] = max(segment, covers.get(worker, -1))
            whole = Past({0: PastPart(_NAME, int(plain["span_s"]))}, covers)
            with without_collections():
                return RecordReader(folder, past=whole).poll()
    return read_record(folder)


def _sources(folder: RunFolder) -> dict[str, int]:
    """The sizes of the files that a digest is made from: none of them shrinks, or changes without growing."""
    files = [*folder.worker_logs(), *folder.worker_lines(), folder.marks, folder.path / FILE]
    return {path.name: path.stat().st_size for path in files if path.exists()}
