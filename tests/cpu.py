"""What each file of tests costs: `pytest --cpu-report 20` lists the twenty that take most CPU.

A suite that fills its cores takes as long as its CPU, whatever the order and the number of processes; so that is what
to look at. Counted is the process of the tests with everything that it started: children that have ended (the kernel
adds them to their parent once that has waited for them) and those that are still at work.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import psutil
import pytest

_PROPERTY = "cpu"


def spent_s() -> float:
    """The CPU seconds, user and system, of this process and its descendants until now."""
    itself = psutil.Process()
    seconds = 0.0
    for process in (itself, *itself.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        seconds += times.user + times.system + times.children_user + times.children_system
    return seconds


class Meter:
    """Notes on every report what was spent since the one before, in the process that runs the tests."""

    def __init__(self) -> None:
        self._cpu_s = spent_s()
        self._wall_s = time.monotonic()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Iterator[None]:
        """Each test has three reports: for its fixtures, itself, and the end of fixtures."""
        report = yield
        cpu_s, wall_s = spent_s(), time.monotonic()
        report.user_properties.append((_PROPERTY, (cpu_s - self._cpu_s, wall_s - self._wall_s)))
        self._cpu_s, self._wall_s = cpu_s, wall_s
        return report


@dataclass
class _Cost:
    cpu_s: float = 0.0
    wall_s: float = 0.0
    tests: dict[str, float] = field(default_factory=lambda: defaultdict(float))


class Summary:
    """Adds up what the reports say, in the process that prints."""

    def __init__(self, files: int) -> None:
        self._files = files
        self._costs: defaultdict[str, _Cost] = defaultdict(_Cost)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add one report; with xdist it came from another process."""
        file, _, test = report.nodeid.partition("::")
        for name, value in report.user_properties:
            if name == _PROPERTY:
                cpu_s, wall_s = value
                cost = self._costs[file]
                cost.cpu_s += cpu_s
                cost.wall_s += wall_s
                cost.tests[f"{test} ({report.when})"] += cpu_s

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the files, and under each of them what took most of it."""
        costs = sorted(self._costs.items(), key=lambda each: -each[1].cpu_s)
        total_s = sum(cost.cpu_s for _, cost in costs)
        terminalreporter.section(f"{total_s:.1f} s of CPU in {len(costs)} files of tests")
        for file, cost in costs[: self._files]:
            terminalreporter.line(f"{cost.cpu_s:7.1f} s  {file} ({len(cost.tests) // 3} tests, {cost.wall_s:.1f} s)")
            for test, cpu_s in sorted(cost.tests.items(), key=lambda each: -each[1])[:3]:
                if cpu_s >= 0.5:
                    terminalreporter.line(f"{cpu_s:13.1f} s  {test}")
