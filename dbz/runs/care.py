"""What the care of an app saves its server: the figures of a load, to be held against those of one with less care."""

from __future__ import annotations

from dbz.measure.budget.measuring import measure
from dbz.measure.budget.metrics import parse_selector
from dbz.measure.latency.series import HTTP
from dbz.runs import aggregate
from dbz.runs.schema import CareFigures, Run
from dbz.runs.storage.reading import Record

_SEVERAL = 5


def care_figures(run: Run, record: Record) -> CareFigures:
    """Those of the judged part of a run."""
    found = aggregate.measurements(record, run.window)
    percentiles = {}
    for metric in ("http", "composite"):
        measured = measure(parse_selector(metric), "p95", found)
        percentiles[metric] = aggregate.finite(measured.value) if measured else None
    seconds = found.seconds or 1.0
    sizes = {name: sums.bytes / sums.answers for name, sums in found.answers.items() if sums.answers >= _SEVERAL}
    return CareFigures(
        run=run.id,
        without=list(run.profile.get("without", [])),
        requests_per_s=round(found.attempts((HTTP,)).count / seconds, 3),
        bytes_per_s=round(sum(sums.bytes for sums in found.answers.values()) / seconds, 1),
        server_cpu_percent=run.server.cpu_percent if run.server else None,
        p95_ms=percentiles["http"],
        composite_p95_ms=percentiles["composite"],
        answer_bytes={name: round(size, 1) for name, size in sorted(sizes.items())},
    )
