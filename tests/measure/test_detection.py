"""The smallest change that is found, and how many runs find a given one."""

from __future__ import annotations

import math

import pytest

from dbz.measure.compare.detection import runs_needed, smallest_change
from dbz.measure.student import t_quantile, t_two_sided


def test_one_figure_of_known_noise_is_the_textbook_case() -> None:
    # (1.960 + 1.282) standard errors for a two-sided test at 5 % with a power of 90 %.
    assert math.log1p(smallest_change(0.01, math.inf, 1, 0.95)) == pytest.approx(0.03242, abs=1e-4)


def test_more_figures_and_less_knowledge_ask_for_larger_changes() -> None:
    few, many = (smallest_change(0.01, 8, figures, 0.95) for figures in (1, 24))
    assert smallest_change(0.01, math.inf, 1, 0.95) < few < many


def test_the_runs_that_are_needed_are_enough_and_one_less_is_not() -> None:
    runs = runs_needed(0.05, 0.10, 24, 0.95)
    assert runs is not None

    def found(count: int) -> float:
        return smallest_change(0.05 * math.sqrt(2 / count), 2 * (count - 1), 24, 0.95)

    assert found(runs) <= 0.10 < found(runs - 1)
    assert runs_needed(0.001, 0.10, 24, 0.95) == 2
    assert runs_needed(0.5, 0.10, 24, 0.95) is None


def test_infinite_degrees_of_freedom_are_the_normal_distribution() -> None:
    assert t_quantile(math.inf, 0.95) == pytest.approx(1.959964, abs=1e-6)
    assert t_two_sided(1.959964, 1e6) == pytest.approx(0.05, abs=1e-6)
