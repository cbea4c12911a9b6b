"""A run in which every text that comes from outside tries to break the report."""

from __future__ import annotations

from pathlib import Path

from dbz.measure.latency.series import DELIVERY, HTTP, Series
from dbz.runs.storage.folder import RunFolder
from tests.runs.builder import Scene, Traffic, build_run

HOSTILE = "</script><img src=x onerror=alert(1)>|`@team` \x1b[31m\u2028'\"=1+1&amp;*x*\n# h"


def hostile_run(reports: Path) -> RunFolder:
    """A recorded and judged run with hostile names of operations, events, errors and of its profile."""
    traffic = (Traffic(Series(HTTP, HOSTILE), 40, 5), Traffic(Series(DELIVERY, HOSTILE), 20, 5))
    scene = Scene(
        seconds=6, warmup_s=2, traffic=traffic, failing={HOSTILE: 0.3}, error="boom " + HOSTILE, profile=HOSTILE
    )
    return build_run(reports, scene, run_id="hostile")
