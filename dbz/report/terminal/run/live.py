"""The view of a load that is going on: on a terminal a screen that redraws in place, elsewhere a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console
from rich.live import Live

from dbz.measure.budget.budgets import Budget
from dbz.measure.latency.series import REQUEST_KINDS
from dbz.report.live.figures import LiveFigures
from dbz.report.terminal.console import make_console
from dbz.report.terminal.run.live_screen import clock, phase, screen
from dbz.report.words.verdict import counters_now_text, latency_text
from dbz.runs.storage.reading import Record
from dbz.units import counted, format_percent, format_rate

_REDRAW_S = 0.4
_LINE_S = 5.0


class View(Protocol):
    """What shows a running load; used as a context manager."""

    def update(self, record: Record, elapsed_s: float, planned_s: float) -> None:
        """Show what is new: the record so far, seconds since the start, and how many the run shall take."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class LiveView:
    """A screen of its own that is redrawn in place, at most three times a second, and given back at the end."""

    def __init__(self, console: Console, title: str, budgets: Sequence[Budget]) -> None:
        self._console = console
        self._title = title
        self._figures = LiveFigures(budgets)
        # A screen of its own: nothing scrolls, a resize leaves no rubble, and the user's screen comes back as it was.
        self._live = Live(
            console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )
        self._drawn_s = float("-inf")

    def update(self, record: Record, elapsed_s: float, planned_s: float) -> None:
        """Take in what is new and redraw; calls that come faster than the eye only take in."""
        self._figures.update(record)
        if time.monotonic() - self._drawn_s < _REDRAW_S:
            return
        self._drawn_s = time.monotonic()
        self._live.update(screen(self._figures, self._title, elapsed_s, planned_s, self._console), refresh=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()


class PlainView:
    """One short line every five seconds."""

    def __init__(self, stream: TextIO, title: str, budgets: Sequence[Budget]) -> None:
        self._stream = stream
        self._title = title
        self._figures = LiveFigures(budgets)
        self._next_s = 0.0

    def update(self, record: Record, elapsed_s: float, planned_s: float) -> None:
        """Take in what is new; write a line when five seconds have passed."""
        self._figures.update(record)
        if elapsed_s >= self._next_s:
            self._next_s = elapsed_s + _LINE_S
            self._stream.write(plain_line(self._figures, elapsed_s, planned_s) + "\n")
            self._stream.flush()

    def __enter__(self) -> Self:
        self._stream.write(f"load: {self._title}\n" if self._title else "")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.flush()


def plain_line(figures: LiveFigures, elapsed_s: float, planned_s: float) -> str:
    """One line of the plain view."""
    recent = figures.recent()
    attempts = [latency for kind, latency in recent.items() if kind in REQUEST_KINDS]
    count, errors = sum(one.count for one in attempts), sum(one.errors for one in attempts)
    measured = [verdict for verdict in figures.verdicts if verdict.value is not None]
    broken = sum(verdict.breaks_run for verdict in measured)
    parts = [
        f"{clock(elapsed_s)} of {clock(planned_s)}  {phase(figures, elapsed_s, planned_s)}",
        counted(figures.users, "user"),
        format_rate(count / figures.recent_s),
        *(f"{kind} p95 {latency_text(latency.percentile_ms(95), ' ms')}" for kind, latency in recent.items()),
        f"{format_percent(errors / count if count else 0)} failed",
    ]
    if counters := figures.counters():
        parts.append(counters_now_text(counters))
    if figures.verdicts:
        parts.append(f"budgets {len(measured) - broken} hold, {broken} broken")
    return ", ".join(parts)


def open_metrics(host: str, port: int, budgets: Sequence[Budget]) -> View:
    """A Prometheus endpoint that follows the run like a view does."""
    from dbz.report.live.prometheus import MetricsEndpoint

    return MetricsEndpoint(host, port, budgets)


def open_otlp(endpoint: str, budgets: Sequence[Budget]) -> View:
    """A stream of metrics to an OpenTelemetry collector; `DependencyError` when its package is missing."""
    from dbz.report.live.otlp import OtlpStream

    return OtlpStream(endpoint, budgets)


def open_view(
    console_is_terminal: bool | None = None,
    no_live: bool = False,
    *,
    title: str = "",
    budgets: Sequence[Budget] = (),
    stream: TextIO | None = None,
) -> View:
    """The view that fits: live on a terminal unless `no_live`, otherwise plain lines; both go to `stream` (stderr).

    `budgets` are judged as the run goes on; `console_is_terminal` None asks the stream.
    """
    stream = stream or sys.stderr
    terminal = stream.isatty() if console_is_terminal is None else console_is_terminal
    if terminal and not no_live:
        return LiveView(make_console(stream), title, budgets)
    return PlainView(stream, title, budgets)
