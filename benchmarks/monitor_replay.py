"""How long it takes to replay a month through twenty rules, and to test rules over four weeks."""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path

from monitor_month import DAY_S, DAYS, Service

from dbz.config.grammar.watched import Watched
from dbz.config.monitor.file import MonitorFile
from dbz.config.monitor.incidents import Incident
from dbz.config.monitor.testing import load_monitor_tests
from dbz.monitor.replay.follow import replay
from dbz.monitor.replay.incidents import judged
from dbz.monitor.replay.proposals import proposals
from dbz.monitor.replay.recording import RecordedReadings, from_points
from dbz.monitor.rules.testing import run_tests

STEP_S, MOST_REPLAY_S = 60, 10.0
START_S = 1_790_000_000
METRICS = (Watched.RESPONSE_TIME, Watched.P95_RESPONSE_TIME, Watched.CPU, Watched.MEMORY, Watched.QUERY_TIME)
LIMITS = {Watched.CPU: "%d%%", Watched.MEMORY: "%d%%"}
OUTAGES = ((0.2, 30), (0.5, 12), (0.8, 45))
"""Where in the month they begin, and how many minutes they last."""
FOUR_WEEKS = """\
schema: dbz.monitor-test/1
tests:
  - name: four weeks
    for: 28d
    about: [HIGH_CPU_USAGE]
    series:
      - {target: api, metric: CPU, values: 20%x120000 90%x60 20%}
      - {target: api, metric: response time, values: 120}
    expect:
      - {at: 13d21h21m, type: HIGH_CPU_USAGE, to: [log]}
      - {at: 13d21h31m10s, type: HIGH_CPU_USAGE, event: resolved, to: [log]}
"""


def recording(incidents: list[Incident]) -> RecordedReadings:
    """A month of one service, minute by minute, ten times as slow in each incident."""
    service = Service(random.Random(4))
    points = []
    for t in range(START_S, START_S + DAYS * DAY_S, STEP_S):
        row = service.row(t)
        slow = 10.0 if any(one.begin_s <= t <= one.end_s for one in incidents) else 1.0
        for metric in METRICS:
            value = float(str(row[metric.value])) * (slow if metric not in LIMITS else 1.0)
            points.append(("api", metric, float(t), value))
    return from_points("a month", points, STEP_S)


def rules() -> MonitorFile:
    """Twenty rules, four limits for each metric."""
    alerts = [
        {"type": f"RULE_{number}", "when": f"{metric.value} > {LIMITS.get(metric, '%dms') % limit} for 5 minutes"}
        for number, (metric, limit) in enumerate(
            (metric, limit)
            for metric in METRICS
            for limit in ((60, 70, 80, 90) if metric in LIMITS else (400, 600, 900, 2000))
        )
    ]
    targets = [{"name": "api", "url": "http://127.0.0.1:1"}]
    return MonitorFile.model_validate({"schema": "dbz.monitor/1", "targets": targets, "alerts": alerts})


def measure() -> bool:
    """Whether the budgets hold."""
    marks = [(START_S + int(DAYS * share * 1440) * 60.0, minutes) for share, minutes in OUTAGES]
    incidents = [Incident(begin_s, begin_s + minutes * 60.0) for begin_s, minutes in marks]
    month, config = recording(incidents), rules()
    began_s = time.perf_counter()
    done = replay(config, [month])
    found = proposals(config.alerts, [month], incidents)
    replay_s = time.perf_counter() - began_s
    first = judged(done.outcomes["RULE_0"], incidents)
    limit = found["RULE_0"]
    print(f"\nreplaying {DAYS} days of minutes through {len(config.alerts)} rules, with proposals: {replay_s:.1f} s")
    print(f"  {config.alerts[0].when}: {len(first.true)} true, {len(first.false)} false, {len(first.missed)} missed")
    print(f"  proposal: {limit.when}; {limit.evidence}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tests.yaml"
        path.write_text(FOUR_WEEKS)
        began_s = time.perf_counter()
        (outcome,) = run_tests(*load_monitor_tests(str(path)))
        test_s = time.perf_counter() - began_s
    print(f"testing {outcome.rounds:,} rounds, four weeks: {test_s:.1f} s, {len(outcome.differences)} differences")
    return replay_s <= MOST_REPLAY_S * DAYS / 30 and not outcome.differences
