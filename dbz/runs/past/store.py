"""The files of a run's past: parts of some minutes each, and one small file that says which of them count.

past.json              which parts there are, and up to which segment the record of each worker is in them
past-003.2.hlog        what was measured in a part, in the standard interval-log format, of spans instead of seconds
past-003.2.jsonl.gz    the lines of the workers in it, and which seconds were answered

`past.json` is replaced in one step once the files that it names are whole, and only then are segments deleted. Whatever
moment a writer is killed at, a reader finds each row once: files that `past.json` does not name, and segments that it
covers, do not count.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import orjson

from dbz.measure.latency import interval_log
from dbz.runs.past.merging import Stretch
from dbz.runs.past.segments import begins_s, origin_of
from dbz.runs.storage.sound_lines import WORKER, is_sound

SCHEMA = "dbz.past/1"
FILE = "past.json"
PART_S = 960
"""How much of a run a part is about: a multiple of every span."""
_AT_ONCE = 200
"""So many rows are written before something else may be done."""


def part_of_segment(segment: int) -> int:
    """The part that a segment belongs to."""
    return begins_s(segment) // PART_S


@dataclass(frozen=True)
class PastPart:
    """One part: its files are called `name` with `.hlog` and `.jsonl.gz`."""

    name: str
    span_s: int
    """How long its spans are at most."""

    @property
    def version(self) -> int:
        """Which of the files of its run's past it was, counted from 1; 0 when its name does not say."""
        number = self.name.rpartition(".")[2]
        return int(number) if number.isdigit() else 0


@dataclass(frozen=True)
class Past:
    """What `past.json` says."""

    parts: Mapping[int, PastPart] = field(default_factory=dict)
    covers: Mapping[str, int] = field(default_factory=dict)
    """By worker: the last segment that is in the parts."""

    def has(self, path: Path) -> bool:
        """Whether what a file of a segment holds is in the parts."""
        worker, segment = origin_of(path)
        return segment <= self.covers.get(worker, -1)

    @property
    def span_s(self) -> int:
        """How long the longest spans are; 1 while there are none."""
        return max((part.span_s for part in self.parts.values()), default=1)


def read_past(folder: Path) -> Past:
    """The past of a run; an empty one while nothing was put together, or when `past.json` is damaged."""
    with suppress(OSError, orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
        plain = orjson.loads((folder / FILE).read_bytes())
        parts = {int(number): PastPart(str(one["name"]), int(one["span_s"])) for number, one in plain["parts"].items()}
        if any(Path(part.name).name != part.name for part in parts.values()):
            return Past()
        return Past(parts, {worker: int(segment) for worker, segment in plain["covers"].items()})
    return Past()


def read_part(folder: Path, part: PastPart) -> Stretch:
    """What a part holds; `FileNotFoundError` when it has been replaced meanwhile."""
    stretch = Stretch()
    with (folder / f"{part.name}.hlog").open(encoding="utf-8") as file:
        for text in file:
            try:
                interval = interval_log.parse(text)
            except ValueError:
                stretch.damaged_lines += 1
                continue
            if interval is not None:
                stretch.intervals.append(replace(interval, merged=True))
    try:
        with gzip.open(folder / f"{part.name}.jsonl.gz") as file:
            for raw in file:
                _take_line(stretch, raw)
    except (EOFError, gzip.BadGzipFile):
        stretch.damaged_lines += 1
    return stretch


def _take_line(stretch: Stretch, raw: bytes) -> None:
    try:
        line = orjson.loads(raw)
        if "answered" in line:
            stretch.answered.update(chain.from_iterable(range(first, last + 1) for first, last in line["answered"]))
            stretch.damaged_lines += line["damaged"]
            return
        worker = line.pop("worker")
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        worker, line = "", None
    if is_sound(line, WORKER):
        stretch.lines.setdefault(worker, []).append(line)
    else:
        stretch.damaged_lines += 1


def write_part(folder: Path, part: PastPart, stretch: Stretch, started_epoch_s: float) -> Iterator[None]:
    """Write the files of a part, which nobody knows of yet, bit by bit; `OSError` when the disk is full."""
    with (folder / f"{part.name}.hlog").open("w", encoding="utf-8") as file:
        file.write(interval_log.header(started_epoch_s))
        for at, interval in enumerate(stretch.intervals):
            file.write(interval_log.line(interval))
            if at % _AT_ONCE == 0:
                yield
    with gzip.open(folder / f"{part.name}.jsonl.gz", "wb", compresslevel=3) as packed:
        head = {"answered": _ranges(stretch.answered), "damaged": stretch.damaged_lines}
        packed.write(orjson.dumps(head) + b"\n")
        for worker, lines in stretch.lines.items():
            for at, line in enumerate(lines):
                packed.write(orjson.dumps({"worker": worker, **line}) + b"\n")
                if at % _AT_ONCE == 0:
                    yield


def replace_past(folder: Path, past: Past) -> None:
    """Let another past count from now on; `OSError` when it cannot be written."""
    plain: dict[str, Any] = {
        "schema": SCHEMA,
        "parts": {str(number): {"name": one.name, "span_s": one.span_s} for number, one in past.parts.items()},
        "covers": dict(past.covers),
    }
    draft = folder / f".{FILE}.new"
    try:
        draft.write_bytes(orjson.dumps(plain))
        draft.replace(folder / FILE)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        raise


def delete(folder: Path, part: PastPart | None, segments: Iterable[Path] = ()) -> None:
    """Delete the files of a part and of segments that do not count any more; those that cannot be do no harm."""
    files = [folder / f"{part.name}{suffix}" for suffix in (".hlog", ".jsonl.gz")] if part else []
    for path in (*files, *segments):
        with suppress(OSError):
            path.unlink()


def _ranges(seconds: Iterable[int]) -> list[tuple[int, int]]:
    """First and last of each stretch of seconds without a gap."""
    ordered = sorted(seconds)
    if not ordered:
        return []
    breaks = [(before, after) for before, after in pairwise(ordered) if after - before > 1]
    firsts = [ordered[0], *(after for _, after in breaks)]
    lasts = [*(before for before, _ in breaks), ordered[-1]]
    return list(zip(firsts, lasts, strict=True))
