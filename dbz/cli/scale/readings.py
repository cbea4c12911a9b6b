"""The readings of `dbz monitor` as samples for `dbz scale auto`, so that one watcher serves both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dbz.config.grammar.watched import SCALABLE, Watched
from dbz.errors import DependencyError, UsageError
from dbz.scaling.decide.rules import Sample
from dbz.suggest import did_you_mean

if TYPE_CHECKING:
    from dbz.monitor.store.store import MonitorStore

MONITOR = "monitor"
_OF_ANSWERS = (Watched.RESPONSE_TIME, Watched.ERROR_RATE)
"""Means over requests: of several readings, one with more requests counts for more."""


class MonitorSource:
    """What a monitor keeps of one target, a sample a period: means over the readings of the period.

    The file is read anew each time. `UsageError` when there is no such file or target, `DependencyError` when it cannot
    be read.
    """

    def __init__(self, file: Path, target: str, period_s: float) -> None:
        self._file, self._period_s = file, period_s
        with self._opened() as store:
            self.target = _target(store.targets(), target, file)

    def _opened(self) -> MonitorStore:
        from dbz.monitor.store.store import MonitorStore

        if not self._file.is_file():
            raise UsageError(
                f"no monitor has written {self._file} yet",
                hint="dbz monitor, or --from monitor=FILE as its --state",
                code="S024",
            )
        return MonitorStore(self._file)

    def since(self, after_s: float, now_s: float, tasks: Callable[[float], int]) -> list[Sample]:
        """The samples of complete periods that ended after `after_s` and until `now_s`; without a reading all None."""
        period_s = self._period_s
        last = int(now_s // period_s)
        first = max(int(after_s // period_s) + 1, 1)
        with self._opened() as store:
            keys = [one.value for one in SCALABLE]
            kept = store.series(self.target, (first - 1) * period_s, last * period_s + 1, 1, keys)
        readings: dict[int, dict[float, dict[Watched, float]]] = defaultdict(lambda: defaultdict(dict))
        for key, rollups in kept.items():
            for one in rollups:
                # A reading is about the time before it: one at the end of a period belongs to that.
                readings[-int(-one.t // period_s)][one.t][Watched(key)] = one.mean
        found = []
        for number in range(first, last + 1):
            end_s = number * period_s
            found.append(Sample(end_s, tasks(end_s), means_of(list(readings.get(number, {}).values()))))
        return found


def means_of(readings: Sequence[Mapping[Watched, float]]) -> dict[Watched, float | None]:
    """The mean of each metric over the readings that have it; that of answers is weighed by how many there were."""
    found: dict[Watched, float | None] = {}
    for metric in SCALABLE:
        having = [one for one in readings if metric in one]
        weights = [one.get(Watched.REQUESTS, 1.0) if metric in _OF_ANSWERS else 1.0 for one in having]
        whole = sum(weights)
        found[metric] = (
            sum(one[metric] * weight for one, weight in zip(having, weights, strict=True)) / whole if whole else None
        )
    return found


def _target(known: Sequence[str], wanted: str, file: Path) -> str:
    if not known:
        raise DependencyError(f"{file} has no reading of any target", hint="does dbz monitor run?", code="S023")
    if not wanted and len(known) == 1:
        return known[0]
    if wanted not in known:
        note = did_you_mean(wanted, known) if wanted else ""
        what = f"it knows no target '{wanted}'{note}" if wanted else "it watches several targets"
        raise UsageError(f"{file}: {what} (known: {', '.join(known)})", hint="--watched NAME", code="S024")
    return wanted


def monitor_file(text: str) -> Path:
    """The file that `--from` names: `monitor`, for the one in the state folder, or `monitor=FILE`."""
    from dbz.config.folders import state_dir

    kind, given, file = text.partition("=")
    if kind != MONITOR or (given and not file):
        raise UsageError(f"--from '{text}' is not known; write {MONITOR}, or {MONITOR}=FILE", code="E002")
    return Path(file) if file else state_dir() / "monitor.db"
