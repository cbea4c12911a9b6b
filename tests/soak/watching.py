"""Looking at every process of a program and its children, and whether what they hold grows without end."""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil

from dbz.measure.trends.trend import LEAST_VALUES, MOST_VALUES, trend_of

TOLERANCES = {"memory": (0.10, 16.0), "descriptors": (0.02, 8.0), "threads": (0.02, 3.0), "sockets": (0.02, 8.0)}
"""What a figure may grow over the judged part of a soak: a share of its level, or so much (MB; else a number), the
larger of both. A server of Python still warms up for minutes: its memory may.
Users whose connections were cut come back one after the other: a short soak still sees their sockets grow in number."""


@dataclass
class ProcessSeries:
    """What one process held, at each look."""

    name: str
    pid: int
    at_s: list[float] = field(default_factory=list)
    """Seconds since the soak began."""
    figures: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


class ProcessWatch:
    """Looks at processes below some others; each look adds to `series`."""

    def __init__(self) -> None:
        self.series: dict[tuple[int, float], ProcessSeries] = {}
        self._begun_s = time.monotonic()

    def look(self, *roots: int) -> None:
        """All processes below these, and they themselves."""
        now_s = time.monotonic() - self._begun_s
        for process in (one for root in roots for one in _tree(root)):
            with contextlib.suppress(psutil.Error, OSError), process.oneshot():
                key = process.pid, process.create_time()
                figures = {
                    "memory": process.memory_info().rss / 1e6,
                    "descriptors": process.num_fds(),
                    "threads": process.num_threads(),
                    "sockets": _sockets(process.pid),
                }
                series = self.series.setdefault(key, ProcessSeries(name_of(process), process.pid))
                series.at_s.append(now_s)
                for name, value in figures.items():
                    series.figures[name].append(value)

    def growing(self, from_s: float, to_s: float) -> tuple[list[str], list[str]]:
        """A line for each figure of each process that was there all of that time, and the lines of those that grow.

        The Theil–Sen slope of the part; growth counts when it is beyond its tolerance and its interval leaves no doubt.
        """
        told, wrong = [], []
        for series in self.series.values():
            part = [at for at, t in enumerate(series.at_s) if from_s <= t <= to_s]
            if len(part) < LEAST_VALUES or series.at_s[part[0]] > from_s + 5 or series.at_s[-1] < to_s - 5:
                continue
            step = -(-len(part) // MOST_VALUES)
            times = [series.at_s[at] for at in part[::step]]
            for name, values in series.figures.items():
                held = [values[at] for at in part[::step]]
                trend, level = trend_of(times, held), median(held)
                assert trend is not None
                grown, (share, least) = trend.slope * (times[-1] - times[0]), TOLERANCES[name]
                line = f"{series.name:<22} {series.pid:>7} {name:<12} {level:>8.1f}  {grown:+8.2f}"
                told.append(line)
                if grown > max(share * level, least) and trend.low > 0:
                    wrong.append(f"{line}, allowed {max(share * level, least):.1f}")
        return told, wrong


def _sockets(pid: int) -> int:
    """How many of its descriptors are sockets."""
    count = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            count += str(link.readlink()).startswith("socket:")
    return count


def name_of(process: psutil.Process) -> str:
    """What a process of dbz is, by its command line."""
    words = process.cmdline()
    module = next((words[at + 1] for at, word in enumerate(words[:-1]) if word == "-m"), "")
    if module:
        return " ".join([module.removeprefix("dbz."), *words[words.index(module) + 1 : words.index(module) + 2]])[:22]
    return next((word.rsplit("/", 1)[-1] for word in words[1:] if word.endswith(".py")), process.name())[:22]


def _tree(root: int) -> Iterator[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        top = psutil.Process(root)
        yield top
        yield from top.children(recursive=True)
