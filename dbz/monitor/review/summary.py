"""The figures of one target over a range: means, peaks, how long it was up, and how long nothing is known of it."""

from __future__ import annotations

from collections.abc import Sequence

from dbz.config.grammar.watched import Watched
from dbz.monitor.review.document import FigureSummary, TargetReview
from dbz.monitor.store.reading import Series
from dbz.monitor.store.rollups import Rollup
from dbz.monitor.store.series import PERIOD

_BY_REQUESTS = (Watched.RESPONSE_TIME, Watched.ERROR_RATE)
"""Figures of requests: a quiet night does not count as much as a busy evening."""


def review_of(name: str, series: Series, begin_s: float, end_s: float) -> TargetReview:
    """A target without trends and changes."""
    times = series.get(PERIOD, [])
    covered_s = sum(one.total for one in times)
    watched_s = end_s - max(begin_s, times[0].t) if times else end_s - begin_s
    up = series.get("up")
    requests = {one.t: one.mean for one in series.get(Watched.REQUESTS, [])}
    return TargetReview(
        name=name,
        uptime=sum(one.total for one in up) / sum(one.readings for one in up) if up else None,
        covered_s=min(covered_s, watched_s),
        # A monitor that is begun anew asks sooner than its period says, and the newest reading stands beyond now.
        without_data_s=max(watched_s - covered_s, 0.0),
        figures=[
            _summary(key, rollups, requests if key in _BY_REQUESTS else {})
            for key, rollups in sorted(series.items())
            if key not in (PERIOD, "up")
        ],
    )


def _summary(key: str, rollups: Sequence[Rollup], weights: dict[int, float]) -> FigureSummary:
    readings = sum(one.readings for one in rollups)
    weighed = [(one.mean, weights[one.t]) for one in rollups if weights.get(one.t)]
    weight = sum(each for _, each in weighed)
    return FigureSummary(
        key=key,
        mean=sum(mean * each for mean, each in weighed) / weight
        if weight
        else sum(one.total for one in rollups) / readings,
        peak=max(one.high for one in rollups),
        low=min(one.low for one in rollups),
        last=rollups[-1].last,
        readings=readings,
    )
