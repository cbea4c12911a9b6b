"""What a long run costs: files, the process that watches it, and the reports made of it, as the run grows.

Three parts (`BENCH_LONG_PARTS=watch,reports,compare`), each with 100 operations of 4 workers:

watch    Seconds of a short record are written again and again as the segments of a run, through the reader, the live
         view and the keeper of `dbz load`. What a second costs them is looked at near the end of 1/16, 1/4 and all
         of `BENCH_LONG_HOURS` (2).
reports  What the keeper leaves of such runs of 1/16, 1/4 and all of `BENCH_LONG_REPORT_HOURS` (8), drawn from the
         same latencies span by span, is concluded and reported.
compare  Five runs of ten minutes against five, as loads leave them behind.

The exponent is that of a power law through the three: 0 does not grow, 1 is linear. All times are CPU times, so that
other work on the machine matters little.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import orjson
from growth import exponent

from dbz.measure.budget.budgets import parse_budget
from dbz.measure.latency.histogram import Histogram, index_of
from dbz.measure.latency.interval_log import Interval, header
from dbz.measure.latency.series import HTTP, Series
from dbz.report.live.figures import LiveFigures
from dbz.runs.aggregate import LAG
from dbz.runs.conclude import conclude
from dbz.runs.past.digest import write_digest
from dbz.runs.past.keeper import PastKeeper
from dbz.runs.past.merging import Merger
from dbz.runs.past.segments import begins_s, file_name, segment_at
from dbz.runs.past.spans import Spans, SpanTerms, span_length_s
from dbz.runs.past.store import PART_S, Past, PastPart, replace_past, write_part
from dbz.runs.schema import Run
from dbz.runs.storage.folder import RunFolder, create_run_folder
from dbz.runs.storage.reading import RecordReader, read_record
from dbz.runs.storage.record import END, STEADY, LineFile

HOURS = float(os.environ.get("BENCH_LONG_HOURS", "2"))
REPORT_HOURS = float(os.environ.get("BENCH_LONG_REPORT_HOURS", "8"))
OPERATIONS, WORKERS = 100, 4
PER_S = float(os.environ.get("BENCH_LONG_RATE", "400"))
"""Requests a second of all workers together."""
_STARTED = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
_SHORT_S = 120
"""How much the record lasts that is replayed."""
_STEADY_S = 10.0
_LOOK_S = 120
"""Over so many seconds the cost of one is looked at."""
_RUNS, _RUN_S = 10, 600
_BUDGETS = [
    parse_budget("p95", "http", "p95", "< 500ms"),
    parse_budget("errors", "errors", "error_rate", "< 1%"),
    parse_budget("users", "users.held", "min", ">= 10"),
]


def _short_record(seed: int) -> list[list[tuple[list[tuple[str, str]], dict[str, object]]]]:
    """By second and worker: tags and encoded histograms, and the line."""
    random = Random(seed)
    medians = [random.uniform(5_000, 60_000) for _ in range(OPERATIONS)]
    each = PER_S / OPERATIONS / WORKERS
    return [[_second(random, medians, each) for _ in range(WORKERS)] for _ in range(_SHORT_S)]


def _second(random: Random, medians: Sequence[float], each: float) -> tuple[list[tuple[str, str]], dict[str, object]]:
    rows, answers = [], {}
    for at, median in enumerate(medians):
        count = int(each) + (random.random() < each % 1)
        if not count:
            continue
        found = Histogram()
        for _ in range(count):
            found.record(round(median * random.lognormvariate(0, 0.5)))
        name = f"GET /api/things/{at}"
        rows.append((Series(HTTP, name).tag(), f"{found.max_us / 1000:.3f},{found.encode()}\n"))
        answers[name] = [count, round(found.total_us() / 1e6, 6), 0.001, 2_048 * count, 0, 0.0, 0.0]
    lag = Histogram()
    lag.record(random.randrange(100, 2_000), 20)
    rows.append((LAG.tag(), f"{lag.max_us / 1000:.3f},{lag.encode()}\n"))
    line = {"users": 25, "running": 3, "cpu_percent": round(random.uniform(30, 40), 1), "begun": 0, "late": 0}
    return rows, {**line, "died": 0, "errors": [], "deliveries": {}, "answers": answers}


class _Replay:
    """Writes a short record again and again, as the sinks of workers do."""

    def __init__(self, folder: RunFolder, seed: int) -> None:
        self._folder, self.short = folder, _short_record(seed)
        self._segment = -1
        self._files: list[list] = []
        self._server, self._machine = LineFile(folder.server), LineFile(folder.machine)
        with_marks = LineFile(folder.marks)
        with_marks.write({"mark": STEADY, "t": _STEADY_S})
        with_marks.close()

    def write(self, second: int) -> None:
        """Write one second of everything."""
        self.write_workers(second)
        self.write_target(second)

    def write_workers(self, second: int) -> None:
        """Write one second of all workers."""
        if segment_at(second + 1.0) != self._segment:
            self.close()
            self._segment = segment_at(second + 1.0)
            self._files = [
                [(self._folder.path / file_name(worker, self._segment, of)).open("ab", buffering=0) for of in _SUFFIXES]
                for worker in range(WORKERS)
            ]
            for hlog, _ in self._files:
                hlog.write(header(_STARTED.timestamp()).encode())
        for (hlog, jsonl), (rows, line) in zip(self._files, self.short[second % _SHORT_S], strict=True):
            hlog.write("".join(f"Tag={tag},{second:.3f},1.000,{rest}" for tag, rest in rows).encode())
            jsonl.write(orjson.dumps({"t": second + 1.0, "dt": 1.0, **line}) + b"\n")

    def write_target(self, second: int) -> None:
        """Write one second of the server and of the machine."""
        self._server.write({"t": second + 0.05, "health": 200, "up": True})
        self._server.write(
            {"t": second + 0.05, "cpu_share": 0.4, "memory_bytes": 3e8, "connections": 100, "event_loop_lag_ms": 1.5}
        )
        self._machine.write({"t": second + 1.0, "dt": 1.0, "cores": 2, "own": 0.5, "steal": 0.0, "others": 0.01})

    def close(self) -> None:
        """Close the files of the workers."""
        for files in self._files:
            for file in files:
                file.close()


_SUFFIXES = (".hlog", ".jsonl")


@dataclass
class _Costs:
    """CPU seconds of the parts of the watching process, by second of the run."""

    parts: dict[str, list[float]] = field(default_factory=lambda: {"reader": [], "live view": [], "keeper": []})

    def of(self, part: str, work: Callable[[], object]) -> None:
        began_s = time.process_time()
        work()
        self.parts[part][-1] += time.process_time() - began_s

    def begin(self) -> None:
        for seconds in self.parts.values():
            seconds.append(0.0)

    def lately_ms(self, part: str) -> float:
        """Milliseconds for a second of the run, over the last ones, which hold whole rounds of the keeper."""
        return sum(self.parts[part][-_LOOK_S:]) / min(_LOOK_S, len(self.parts[part])) * 1000


def _run(folder: RunFolder) -> Run:
    profile = {"name": "soak", "users": 100, "workers": WORKERS}
    return Run(
        id=folder.id, started=_STARTED.isoformat(), profile=profile, target="http://127.0.0.1:1", seed=1,
        environment={"cpus": 2, "memory_bytes": 8_000_000_000, "system": "Linux"},
    )  # fmt: skip


def _concluded(folder: RunFolder, seconds: int) -> float:
    """Write the end of a run and its conclusion; the CPU seconds that it took."""
    marks = LineFile(folder.marks)
    marks.write({"mark": END, "t": float(seconds)})
    marks.close()
    began_s = time.process_time()
    record = read_record(folder)
    folder.save(conclude(_run(folder), record, _BUDGETS))
    write_digest(folder, record, _STARTED.timestamp())
    return time.process_time() - began_s


_MEASURED = """
import json, resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([code, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""
"""A small process between: what a child has at most in memory is at least what its parent had when it began."""


def _command(*arguments: str) -> tuple[float, float]:
    """CPU seconds and the most megabytes of a dbz command."""
    command = [sys.executable, "-c", _MEASURED, sys.executable, "-m", "dbz.cli.main", *arguments]
    code, cpu_s, megabytes = orjson.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    if code not in (0, 1, 4):
        raise SystemExit(f"dbz {' '.join(arguments)} ended with {code}")
    return cpu_s, megabytes


def _megabytes(folder: RunFolder, pattern: str = "*") -> float:
    return sum(path.stat().st_size for path in folder.path.glob(pattern) if path.is_file()) / 1e6


Rows = dict[str, list[float]]


def _print(title: str, moments: Sequence[int], rows: Rows) -> None:
    print(f"\n{title}; {OPERATIONS} operations, {WORKERS} workers, {PER_S:,.0f} requests/s")
    print(f"  {'':34}" + "".join(f"{moment / 60:>10.0f} min" for moment in moments) + "   exponent")
    for name, values in rows.items():
        print(f"  {name:34}" + "".join(f"{value:>14.2f}" for value in values) + f"{exponent(values):>11}", flush=True)


def _moments(hours: float) -> list[int]:
    seconds = int(hours * 3600)
    return [seconds // 16, seconds // 4, seconds]


def watching(base: Path) -> None:
    """Replay a run beside the process that watches it, and print what a second costs that at three moments."""
    moments = _moments(HOURS)
    folder = create_run_folder(base / "watched", "20261123T060000Z-soak-0001")
    folder.save(_run(folder))
    replay, reader = _Replay(folder, 1), RecordReader(folder, keep_s=300.0)
    keeper, figures, costs = PastKeeper(folder, _STARTED.timestamp(), SpanTerms()), LiveFigures(_BUDGETS), _Costs()
    rows: Rows = {}
    for second in range(moments[-1]):
        replay.write(second)
        costs.begin()
        costs.of("reader", reader.poll)
        costs.of("live view", lambda: figures.update(reader.record))
        if second % 10 == 0:
            costs.of("keeper", lambda: keeper.finish(reader.record))
        if second + 1 in moments:
            found = {f"{part}, ms CPU for a second": costs.lately_ms(part) for part in costs.parts}
            found["watching process, MB at most"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            found["files of the run, MB"] = _megabytes(folder)
            for name, value in found.items():
                rows.setdefault(name, []).append(value)
    replay.close()
    _print("watching a run that goes on", moments, rows)


def reports(base: Path) -> None:
    """Conclude and report runs as the keeper leaves them behind, and print what that cost."""
    moments, rows = _moments(REPORT_HOURS), Rows()
    for seconds in moments:
        folder = create_run_folder(base / f"at-{seconds}", "20261123T060000Z-soak-0001")
        folder.save(_run(folder))
        _leave_behind(folder, seconds)
        found = {"files of the run, MB": _megabytes(folder), "conclusion, s CPU": _concluded(folder, seconds)}
        found["digest, MB"] = _megabytes(folder, "digest*")
        for name in ("show", "html"):
            cpu_s, megabytes = _command("report", name, str(folder.path))
            found |= {f"report {name}, s CPU": cpu_s, f"report {name}, MB": megabytes}
        found["report.html, MB"] = _megabytes(folder, "report.html")
        for name, value in found.items():
            rows.setdefault(name, []).append(value)
        print(
            f"  {seconds / 60:.0f} min: " + ", ".join(f"{name} {value:.1f}" for name, value in found.items()),
            flush=True,
        )
    _print("reports of a run", moments, rows)


def _leave_behind(folder: RunFolder, seconds: int) -> None:
    """The files of a run whose older part has been put together, but for its last two minutes."""
    replay, spans = _Replay(folder, 1), Spans(_STEADY_S, span_length_s(seconds - _STEADY_S))
    merged_s = begins_s(segment_at(seconds - 120.0)) if spans.length_s > 1 else 0
    parts, random = {}, Random(2)
    pools = [[index_of(round(random.uniform(5_000, 60_000) * random.lognormvariate(0, 0.5))) for _ in range(20_000)]
             for _ in range(OPERATIONS)]  # fmt: skip
    for number in range(-(-merged_s // PART_S)):
        first, last = number * PART_S, min((number + 1) * PART_S, merged_s)
        merger = Merger(spans)
        for second in range(first, last):
            for worker, (_, line) in enumerate(replay.short[second % _SHORT_S]):
                merger.add_line(f"worker-{worker}", {"t": second + 1.0, "dt": 1.0, **line})
        merger.add_answered(range(first, last))
        step_s = min(spans.length_s, last - first)
        for begin_s in range(first, last, step_s):
            for at, pool in enumerate(pools):
                drawn = random.choices(pool, k=max(round(PER_S / OPERATIONS * step_s), 1))
                series = Series(HTTP, f"GET /api/things/{at}")
                merger.add_interval(
                    Interval(series, float(begin_s), float(step_s), Histogram(dict(Counter(drawn))), merged=True)
                )
        parts[number] = PastPart(f"past-{number:03d}.1", spans.length_s)
        stretch = [step for step in merger.result() if step][-1]
        for _ in write_part(folder.path, parts[number], stretch, _STARTED.timestamp()):
            pass
    if parts:
        covers = {f"worker-{worker}": segment_at(float(merged_s)) for worker in range(WORKERS)}
        replace_past(folder.path, Past(parts, covers))
    for second in range(seconds):
        replay.write_target(second)
        if second >= merged_s:
            replay.write_workers(second)
    replay.close()


def comparison(base: Path) -> None:
    """Compare five runs with five, and print what that cost, with digests and without."""
    for number in range(_RUNS):
        folder = create_run_folder(base / ("before" if number < _RUNS / 2 else "after"), f"20261123T0{number}0000Z-ten")
        replay = _Replay(folder, number)
        for second in range(_RUN_S):
            replay.write(second)
        replay.close()
        _concluded(folder, _RUN_S)
    cpu_s, megabytes = _command("report", "compare", str(base / "before"), str(base / "after"))
    print(f"\nreport compare of {_RUNS} runs of {_RUN_S / 60:.0f} min: {cpu_s:.1f} s CPU, {megabytes:.0f} MB")


def main() -> None:
    """Both, in a folder that is removed, or in `BENCH_LONG_FOLDER`, which is kept to look at the page."""
    kept = os.environ.get("BENCH_LONG_FOLDER")
    parts = os.environ.get("BENCH_LONG_PARTS", "watch,reports,compare").split(",")
    with tempfile.TemporaryDirectory() as folder:
        base = Path(kept or folder)
        for name, part in (("compare", comparison), ("reports", reports), ("watch", watching)):
            if name in parts:
                part(base)


if __name__ == "__main__":
    main()
