"""The watch of a soak: what leaks is told, what is flat or only noisy is not; `make soak` is the soak itself."""

from __future__ import annotations

import os
import random

import pytest

from tests.soak.watching import ProcessSeries, ProcessWatch

SECONDS = 600


def watched(figure: str, value: float, slope: float, noise: float) -> tuple[list[str], list[str]]:
    rng, watch = random.Random(1), ProcessWatch()
    series = ProcessSeries("server", 1)
    for second in range(SECONDS):
        series.at_s.append(float(second))
        series.figures[figure].append(value + slope * second + rng.gauss(0, noise))
    watch.series[1, 0.0] = series
    return watch.growing(SECONDS / 2, SECONDS - 1)


@pytest.mark.parametrize(
    ("figure", "value", "slope", "noise", "grows"),
    [
        ("memory", 100, 0.1, 3, True),
        ("memory", 100, 0.0, 10, False),
        ("memory", 100, -0.2, 3, False),
        ("descriptors", 50, 0.05, 1, True),
        ("descriptors", 50, 0.0, 5, False),
        ("threads", 9, 0.02, 0.2, True),
        ("sockets", 30, 0.003, 1, False),
    ],
)
def test_growth_is_told_from_noise(figure: str, value: float, slope: float, noise: float, grows: bool) -> None:
    told, wrong = watched(figure, value, slope, noise)
    assert len(told) == 1 and bool(wrong) is grows, (told, wrong)


def test_a_process_that_came_late_or_left_early_is_not_judged() -> None:
    watch = ProcessWatch()
    for number, (first, last) in enumerate(((400, 600), (0, 400))):
        series = ProcessSeries("worker", number)
        series.at_s = [float(second) for second in range(first, last)]
        series.figures["memory"] = [float(second) for second in range(first, last)]
        watch.series[number, 0.0] = series
    assert watch.growing(300, 599) == ([], [])


def test_this_process_is_seen_with_its_descriptors() -> None:
    watch = ProcessWatch()
    watch.look(os.getpid())
    ends = os.pipe()
    watch.look(os.getpid())
    series = next(one for one in watch.series.values() if one.pid == os.getpid())
    for end in ends:
        os.close(end)
    before, after = series.figures["descriptors"]
    assert after == before + 2 and series.figures["memory"][0] > 1 and series.figures["threads"][0] >= 1
