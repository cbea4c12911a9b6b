"""Series as Prometheus text, OpenMetrics or CSV, line by line.

Formats: Prometheus text exposition 0.0.4, with timestamps in milliseconds; OpenMetrics 1.0, with units, timestamps in
seconds and `# EOF`. Neither has room for roll-ups: of a step longer than a reading they tell the mean, and CSV all.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from dbz.monitor.export.names import MetricName, metric_name
from dbz.monitor.store.store import MonitorStore
from dbz.printable import no_formula

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


def exported(store: MonitorStore, form: str, begin_s: float, end_s: float, step_s: int) -> Iterator[str]:
    """The lines of a form of `FORMS`, each with its line break."""
    return FORMS[form](store, begin_s, end_s, step_s)


def _prometheus(store: MonitorStore, begin_s: float, end_s: float, step_s: int) -> Iterator[str]:
    for family in _families(store, begin_s, end_s, step_s):
        yield f"# HELP {family.name} {family.help}\n# TYPE {family.name} gauge\n"
        yield from _samples(family, 1000)


def _openmetrics(store: MonitorStore, begin_s: float, end_s: float, step_s: int) -> Iterator[str]:
    for family in _families(store, begin_s, end_s, step_s):
        yield f"# TYPE {family.name} gauge\n"
        if family.unit:
            yield f"# UNIT {family.name} {family.unit}\n"
        yield f"# HELP {family.name} {family.help}\n"
        yield from _samples(family, 1)
    yield "# EOF\n"


def _samples(family: _Family, clock: int) -> Iterator[str]:
    for target, values in family.values.items():
        head = f'{family.name}{{target="{target.translate(_ESCAPES)}"}}'
        yield from (f"{head} {value:.15g} {t * clock}\n" for t, value in values.items())


def _csv(store: MonitorStore, begin_s: float, end_s: float, step_s: int) -> Iterator[str]:
    yield _row("time", "target", "figure", "readings", "mean", "low", "high", "last")
    for target in store.targets():
        for key, rollups in sorted(store.series(target, begin_s, end_s, step_s).items()):
            for one in rollups:
                time = f"{datetime.fromtimestamp(one.t, UTC):%Y-%m-%dT%H:%M:%SZ}"
                values = (f"{value:.15g}" for value in (one.mean, one.low, one.high, one.last))
                yield _row(time, no_formula(target), no_formula(key), str(one.readings), *values)


FORMS: Mapping[str, Callable[[MonitorStore, float, float, int], Iterator[str]]] = {
    "prometheus": _prometheus,
    "openmetrics": _openmetrics,
    "csv": _csv,
}
"""Every form by its name."""


@dataclass
class _Family:
    """One metric of all targets: everything of it stands together, and each second once."""

    name: str
    unit: str
    keys: list[str]
    """What the store calls it; several where two spellings are one name."""
    values: dict[str, dict[int, float]]
    """By target and time in seconds since the epoch, in the unit."""

    @property
    def help(self) -> str:
        return f"{' or '.join(self.keys)} of what dbz monitor watches".translate(_ESCAPES)


def _families(store: MonitorStore, begin_s: float, end_s: float, step_s: int) -> Iterator[_Family]:
    by_name: defaultdict[str, dict[str, MetricName]] = defaultdict(dict)
    for key in store.figures():
        by_name[metric_name(key).name][key] = metric_name(key)
    for name, metrics in sorted(by_name.items()):
        family = _Family(name, next(iter(metrics.values())).unit, list(metrics), {})
        for target in store.targets():
            values = {
                one.t: one.mean * metrics[key].factor
                for key, rollups in store.series(target, begin_s, end_s, step_s, metrics).items()
                for one in rollups
            }
            if values:
                family.values[target] = dict(sorted(values.items()))
        if family.values:
            yield family


def _row(*values: str) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()
