"""The peers of `bench_monitor.py` in an environment of their own: series as JSON on stdin, what they say on stdout.

Knows nothing of dbz: Apache Otava pins versions that nobody wants beside something else.
"""

from __future__ import annotations

import importlib
import itertools
import json
import math
import statistics
import sys
from collections.abc import Callable, Sequence
from typing import Any

Values = Sequence[float]


def otava(values: Values, p: float = 0.001) -> list[int]:
    """Apache Otava: E-divisive in windows of 50; its default is p < 0.001."""
    analysis = importlib.import_module("otava.analysis")
    found, _ = analysis.compute_change_points(list(values), window_len=50, max_pvalue=p, min_magnitude=0.0)
    return [int(one.index) for one in found]


def ruptures_l2(values: Values, times: float = 1.0) -> list[int]:
    """PELT with squared deviations, and so many times the penalty of BIC, from the noise between neighbours."""
    ruptures, numpy = importlib.import_module("ruptures"), importlib.import_module("numpy")
    steps = [abs(after - before) for before, after in itertools.pairwise(values)]
    noise = statistics.median(steps) / 0.6745 / math.sqrt(2)
    found = ruptures.Pelt(model="l2", min_size=5, jump=1).fit(numpy.array(values))
    return [int(at) for at in found.predict(pen=times * 2 * noise**2 * math.log(len(values)))[:-1]]


def ruptures_rbf(values: Values, penalty: float = 10.0) -> list[int]:
    """PELT with a Gaussian kernel; 10 is the penalty in its own documentation."""
    ruptures, numpy = importlib.import_module("ruptures"), importlib.import_module("numpy")
    found = ruptures.Pelt(model="rbf", min_size=5, jump=1).fit(numpy.array(values))
    return [int(at) for at in found.predict(pen=penalty)[:-1]]


def mann_kendall(name: str) -> Callable[[Values], float]:
    """The p-value of one of the tests of pymannkendall."""
    test = getattr(importlib.import_module("pymannkendall"), name)
    return lambda values: float(test(list(values)).p)


def main() -> None:
    """Answer one question: `{"changes": [...], "trends": [...]}`, each a list of series."""
    asked = json.load(sys.stdin)
    told: dict[str, dict[str, list[Any]]] = {"changes": {}, "trends": {}}
    finders: dict[str, tuple[Callable[[Values, float], list[int]], Sequence[float]]] = {
        "Apache Otava, p < {:g}": (otava, (1e-3, 1e-5, 1e-7, 1e-10)),
        "ruptures, PELT l2, {:g} BIC": (ruptures_l2, (1, 8, 32, 64)),
        "ruptures, PELT rbf, {:g}": (ruptures_rbf, (10, 14, 20)),
    }
    for name, (finder, settings) in finders.items():
        try:
            for setting in settings:  # the first is the default, or what its authors show
                told["changes"][name.format(setting)] = [finder(values, setting) for values in asked["changes"]]
        except ImportError:
            print(f"{name.partition(',')[0]} is not installed", file=sys.stderr)
    tests = {
        "Mann-Kendall": "original_test",
        "Mann-Kendall, Hamed and Rao": "hamed_rao_modification_test",
        "Mann-Kendall, trend-free prewhitening": "trend_free_pre_whitening_modification_test",
    }
    for name, function in tests.items():
        try:
            told["trends"][name] = [mann_kendall(function)(values) for values in asked["trends"]]
        except ImportError:
            print(f"{name} is not installed", file=sys.stderr)
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
