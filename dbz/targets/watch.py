"""Asking a target for its figures again and again: its expositions, and for what those do not tell its processes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dbz.config.load.metrics import TargetMetrics
from dbz.masking import masked_url
from dbz.targets.places import METRICS
from dbz.targets.probing import DEADLINE_S, ProbeAnswer, address_of, follow
from dbz.targets.processes import ProcessesBehind
from dbz.targets.reading import PageReader, Reading, Second, is_another, since, together
from dbz.targets.standard import Figure

_TCP = "TCP connections to its port"
_OF_PROCESSES = {Figure.CPU: "", Figure.MEMORY: "", Figure.CONNECTIONS: _TCP}
"""What processes can tell, and what there is to know of it."""
_OF_ONE = (Figure.CPU, Figure.MEMORY, Figure.CONNECTIONS, Figure.EVENT_LOOP_LAG, Figure.ACTIVE_REQUESTS)
"""What only one process knows of itself."""
_NO_CORES = "how much CPU time it uses is known, but not of how many cores: set 'cores' below 'metrics' in the profile"
_IN_TURN = "several processes answer there in turn, each for itself: give the URL of each below 'metrics'"


@dataclass(frozen=True)
class FigureSource:
    """Where a figure comes from."""

    origin: str
    """The URL of an exposition, or which processes."""
    metric: str = ""
    """What it is called in the exposition."""
    note: str = ""
    """What else there is to know of it."""


class TroubleError(Exception):
    """Why an exposition that was readable, or that somebody named, has no figures now."""


@dataclass(frozen=True)
class PageReading:
    """How expositions are read."""

    deadline_s: float = DEADLINE_S
    """How long a whole answer may take."""
    too: bool = False
    """Whether somebody else reads the pages as well: then they are of use without any of our figures."""


class Instance:
    """One instance of the target: its exposition, and the processes that serve the port of `serves`.

    `named` says that somebody said what is there, so that nothing else may stand for it.
    """

    def __init__(
        self, url: str, serves: str, metrics: TargetMetrics, *, named: bool, sharing: int, reading: PageReading
    ) -> None:
        self._url = url
        self._reading = reading
        self._named = named
        self._reader = PageReader(metrics)
        self._previous: Reading | None = None
        self._asks = True
        self._no_page = ""
        self._in_turn = False
        self._starts: list[float | None] = []
        self._all_cores = metrics.cores
        self._sharing = sharing
        self._processes = ProcessesBehind(serves, sharing=sharing)
        self.sources: dict[Figure, FigureSource] = {}
        """Of each figure that it tells."""
        self.missing: dict[Figure, str] = {}
        """Why it does not tell the others."""
        self.page = b""
        """Its exposition, as it was when it was asked last; empty when it gave none."""

    @property
    def origin(self) -> str:
        """Where its exposition is, for people."""
        return masked_url(self._url)

    async def look(self) -> Second | None:
        """What it was like since the last call; None when nobody tells.

        `TroubleError` when its exposition cannot be read although it could before, or although somebody named it, or
        although nothing else tells.
        """
        trouble, told, self.page = "", None, b""
        if self._asks:
            answer, self._url = await follow(self._url, deadline_s=self._reading.deadline_s)
            try:
                told = await self._read(answer)
            except TroubleError as error:
                if self._named or self._previous is not None or answer.status:
                    raise  # it is there, and broken: what else could be seen would hide that
                trouble = str(error)
        used = await asyncio.to_thread(self._processes.second) if self._lacks(told) else None
        if told is None and used is None:
            if trouble:
                raise TroubleError(trouble)
            return None
        self.missing = {}
        self.sources = dict(self._sources(told, used))
        return self._joined(told, used)

    async def _read(self, answer: ProbeAnswer) -> Second | None:
        """The figures of an answer; None when there are none, and never will be."""
        now_s, reading = time.monotonic(), None
        self.page = answer.body if answer.status == 200 else b""
        if answer.status == 200:  # megabytes of them take a while, in which others are still asked
            reading = await asyncio.to_thread(self._reader.read, answer.body, now_s)
        before = self._previous
        if reading is not None and not reading.gone:
            self._previous = reading
            self._note_who_answered(reading, before)
            return since(reading, before or reading)
        why = answer.trouble or f"HTTP {answer.status}"
        if answer.status == 200:
            gone = reading.gone if reading else self._reader.missing.values()
            why = f"it has no {', '.join(gone)}" if gone else "it has none of the figures that we know"
        if before is None and 200 <= answer.status < 500 and not self._named:
            self._asks, self._no_page = self._reading.too and answer.status == 200, f"{self.origin}: {why}"
            return None
        raise TroubleError(why)

    def _note_who_answered(self, reading: Reading, before: Reading | None) -> None:
        """Find out whether one process answers for all, or several do in turn."""
        if before is None or reading.started_s != before.started_s:
            self._in_turn |= reading.started_s is not None and reading.started_s in self._starts
            self._starts.append(reading.started_s)
        self._in_turn |= before is not None and is_another(reading, before)

    def _lacks(self, told: Second | None) -> bool:
        """Whether the processes are needed: for a figure, or for the number of cores."""
        reading = self._previous
        if told is None or reading is None or self._in_turn:
            return True
        counted = bool(reading.cpu_s) or reading.cpu_cores is not None
        return not {Figure.CPU, Figure.MEMORY} <= self._reader.chosen.keys() or (counted and reading.cores is None)

    def _sources(self, told: Second | None, used: Second | None) -> Iterable[tuple[Figure, FigureSource]]:
        """Where each figure comes from; notes why others do not come that somebody may ask for."""
        for figure in Figure:
            rule = self._reader.chosen.get(figure) if told is not None else None
            if figure in self._reader.missing:
                self.missing[figure] = f"{self.origin} has no {self._reader.missing[figure]}"
            elif rule is not None and not (self._in_turn and figure in _OF_ONE):
                if figure is Figure.CPU and self._cores() is None:
                    self.missing[figure] = _NO_CORES
                else:
                    yield figure, FigureSource(self.origin, rule.name, rule.note)
            elif used is not None and figure in _OF_PROCESSES:
                yield figure, FigureSource(self._processes.named, note=_OF_PROCESSES[figure])
            else:
                page = f"{self.origin}: {_IN_TURN}" if rule else self._no_page or f"{self.origin} does not tell it"
                able = figure in _OF_PROCESSES
                self.missing[figure] = "; ".join(filter(None, (page, self._processes.why_not if able else "")))

    def _joined(self, told: Second | None, used: Second | None) -> Second:
        """Each figure from where it comes from."""
        whole = Second(cores=self._cores())
        if told is not None:
            whole.breakers, whole.services = told.breakers, told.services
        for figure, source in self.sources.items():
            field = figure.second_field
            setattr(whole, field, getattr(told if source.metric else used, field))
            if figure is Figure.CPU and not source.metric and used is not None and self._all_cores is None:
                whole.cores = used.cores
        return whole

    def _cores(self) -> float | None:
        """How many cores it has: as the profile or it itself says, what this machine leaves it, or one a process."""
        reading = self._previous
        if self._all_cores is not None:
            return self._all_cores / self._sharing
        if reading is None:
            return None
        if reading.cores is not None or reading.cpu_share is not None:
            return reading.cores or 1.0  # a share is one of whatever there is
        local = self._processes.cores(one_core_each=reading.one_core_each or None)
        return float(reading.processes) if local is None and reading.one_core_each else local


class TargetWatch:
    """The figures of a target, all of its instances together."""

    def __init__(self, base_url: str, metrics: TargetMetrics, reading: PageReading = PageReading()) -> None:
        urls = list(dict.fromkeys(address_of(base_url, place) for place in metrics.url or [METRICS]))
        # One exposition elsewhere, as that of a collector, is still about the processes of the target.
        self._instances = [
            Instance(
                url,
                url if len(urls) > 1 else base_url,
                metrics,
                named=bool(metrics.url or metrics.named()),
                sharing=len(urls),
                reading=reading,
            )
            for url in urls
        ]
        self._told: dict[str, Any] = {}
        self._has_begun = False

    async def look(self) -> dict[str, Any] | None:
        """A line of the record of the last second; None when nobody tells anything and need not be asked again.

        The first one is empty: nothing can be said of a second that nobody saw the beginning of. `sources` and
        `missing` stand in a line when they have changed, by the name of the figure.
        """
        found = await asyncio.gather(*(one.look() for one in self._instances), return_exceptions=True)
        for instance, result in zip(self._instances, found, strict=True):
            if isinstance(result, TroubleError):
                where = f"{instance.origin}: " if len(self._instances) > 1 else ""
                return {"metrics_trouble": f"{where}{result}"}
            if isinstance(result, BaseException):
                raise result
        seconds = [second for second in found if isinstance(second, Second)]
        if not seconds:
            return None
        if not self._has_begun:
            self._has_begun = True
            return {}
        return {**together(seconds), **self._changed()}

    @property
    def pages(self) -> list[bytes]:
        """The exposition of each instance, as it was when it was asked last; empty for one that gave none."""
        return [instance.page for instance in self._instances]

    def _changed(self) -> dict[str, Any]:
        missing: dict[str, str] = {}
        for one in self._instances:
            for figure, why in one.missing.items():
                missing.setdefault(figure.value, why)
        sources = {
            figure.value: asdict(_common([one.sources[figure] for one in self._instances]))
            for figure in Figure
            if all(figure in one.sources for one in self._instances)
        }
        told: dict[str, Any] = {"sources": sources, "missing": missing}
        if told == self._told:
            return {}
        self._told = told
        return told


def _common(sources: Sequence[FigureSource]) -> FigureSource:
    """One source for several instances."""
    first = sources[0]
    if len(sources) == 1:
        return first
    return FigureSource(f"{len(sources)} instances, the first of them {first.origin}", first.metric, first.note)
