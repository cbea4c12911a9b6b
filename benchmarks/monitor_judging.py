"""Changes and trends of dbz beside Apache Otava, ruptures and pymannkendall on a corpus whose answers are known."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from monitor_corpus import CORRELATIONS, HOURS, Labelled, corpus, noise

from dbz.measure.trends.daily import changes_beside_days
from dbz.measure.trends.trend import trend_of

EACH = int(os.environ.get("BENCH_MONITOR_SERIES", "12"))
"""Series of each kind and correlation."""
SEED = int(os.environ.get("BENCH_MONITOR_SEED", "2027"))
"""Of the series: others than those of 1 to 4, on which the method was tuned."""
TREND_RUNS = int(os.environ.get("BENCH_MONITOR_TRENDS", "400"))
TREND_VALUES = 60
_HERE = Path(__file__).parent
_HOUR_S = 3600
_SHOWN = ("dbz", "p < 0.001", "1 BIC", "rbf, 10")
"""Settings of which each kind of series is shown: the defaults."""


def peers_of(question: dict[str, Any]) -> dict[str, Any]:
    """What the peers say; empty where none is installed."""
    own = _HERE / "peers" / "bin" / "python"
    python = os.environ.get("BENCH_PEERS") or (str(own) if own.exists() else sys.executable)
    done = subprocess.run(
        [python, str(_HERE / "monitor_peers.py")],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stderr.strip()[-300:], file=sys.stderr)
    return json.loads(done.stdout) if done.returncode == 0 else {"changes": {}, "trends": {}}


def own_changes(labelled: Labelled) -> list[int]:
    """What dbz says of a series, as its report does: what belongs to every day is taken away first."""
    times = [at * _HOUR_S for at in range(len(labelled.values))]
    return [one.index for one in changes_beside_days(times, labelled.values, _HOUR_S).changes]


def judge() -> bool:
    """Measure and print; whether dbz is nowhere behind."""
    rows = list(corpus(EACH, SEED))
    chance = random.Random(60)
    flat = {of: [noise(chance, TREND_VALUES, of) for _ in range(TREND_RUNS)] for of in CORRELATIONS}
    lines = [[0.06 * at + value for at, value in enumerate(row)] for row in flat[0.6]]
    every = [*(row for of in CORRELATIONS for row in flat[of]), *lines]
    told = peers_of({"changes": [one.values for one in rows], "trends": every})
    found = {"dbz": [own_changes(one) for one in rows], **told["changes"]}
    p_values = {"dbz": [trend.p if (trend := trend_of(range(len(row)), row)) else 1.0 for row in every]}
    scores = _print_changes(rows, found)
    alarms = _print_trends({**p_values, **told["trends"]})
    precision, recall = scores.pop("dbz")
    # Whoever marks everything misses nothing: recall is compared with those that are as precise.
    ahead = all(others_recall <= recall for others, others_recall in scores.values() if others >= precision)
    best = max((_f1(one) for one in scores.values()), default=0.0)
    print(f"\nF1 of dbz {_f1((precision, recall)):.3f}, of the best setting of any peer {best:.3f}")
    return ahead and best <= _f1((precision, recall)) and alarms["dbz"] < 0.05


def _print_changes(rows: list[Labelled], found: dict[str, list[list[int]]]) -> dict[str, tuple[float, float]]:
    print(f"\nchanges: {len(rows)} series of {HOURS} values; steps of 2.5 to 6 standard deviations of the noise")
    print(f"{'':28}{'precision':>10}{'recall':>8}{'F1':>7}   precision / recall at a correlation of "
          + ", ".join(f"{of:g}" for of in CORRELATIONS))  # fmt: skip
    scores = {}
    for name, answers in found.items():
        totals: defaultdict[float, list[int]] = defaultdict(lambda: [0, 0, 0])
        for labelled, answer in zip(rows, answers, strict=True):
            for at, count in enumerate(labelled.judge(answer)):
                totals[labelled.correlation][at] += count
        whole = _rates([sum(each) for each in zip(*totals.values(), strict=True)])
        parts = "  ".join("{:.2f}/{:.2f}".format(*_rates(totals[of])) for of in CORRELATIONS)
        print(f"{name:28}{whole[0]:>10.3f}{whole[1]:>8.3f}{_f1(whole):>7.3f}   {parts}")
        scores[name] = whole
    print("\nwrong detections a series, by kind")
    kinds = list(dict.fromkeys(one.kind for one in rows))
    print(f"{'':28}" + "".join(f"{kind:>17}" for kind in kinds))
    for name, answers in found.items():
        if not name.endswith(_SHOWN):
            continue
        wrong = {
            kind: [one.judge(answer)[1] for one, answer in zip(rows, answers, strict=True) if one.kind == kind]
            for kind in kinds
        }
        print(f"{name:28}" + "".join(f"{sum(each) / len(each):>17.2f}" for each in wrong.values()))
    return scores


def _f1(score: tuple[float, float]) -> float:
    return 2 * score[0] * score[1] / (sum(score) or 1)


def _rates(counts: list[int]) -> tuple[float, float]:
    right, wrong, missed = counts
    return right / ((right + wrong) or 1), right / ((right + missed) or 1)


def _print_trends(p_values: dict[str, list[float]]) -> dict[str, float]:
    print(f"\ntrends: false alarms (p < 0.05) of {TREND_RUNS} series of {TREND_VALUES} values, by the correlation of")
    print("their noise, and how many lines that rise by 3.6 standard deviations are found at 0.6")
    print(f"{'':40}" + "".join(f"{of:>8g}" for of in CORRELATIONS) + f"{'found':>9}")
    alarms = {}
    for name, values in p_values.items():
        parts = [values[at * TREND_RUNS : (at + 1) * TREND_RUNS] for at in range(len(CORRELATIONS) + 1)]
        shares = [sum(p < 0.05 for p in part) / len(part) for part in parts]
        print(f"{name:40}" + "".join(f"{share:>8.1%}" for share in shares[:-1]) + f"{shares[-1]:>9.1%}")
        alarms[name] = shares[CORRELATIONS.index(0.6)]
    return alarms
