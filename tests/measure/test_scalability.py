"""The fit of the Universal Scalability Law finds the law that made the points."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.measure.scalability import Scalability, fit

LOADS = (1, 2, 4, 8, 16, 32, 64, 128)


def points_of(law: Scalability, noise: float = 0.0, seed: int = 1) -> list[tuple[float, float]]:
    numbers = random.Random(seed)
    return [(users, law.throughput(users) * (1 + numbers.gauss(0, noise))) for users in LOADS]


def squares(law: Scalability, points: list[tuple[float, float]]) -> float:
    return sum((law.throughput(users) - rate) ** 2 for users, rate in points)


@given(
    lambda_=st.floats(0.1, 1e4),
    sigma=st.floats(0.001, 0.3),
    kappa=st.floats(1e-6, 1e-2),
)
def test_a_curve_without_noise_is_found_exactly(lambda_: float, sigma: float, kappa: float) -> None:
    law = Scalability(lambda_, sigma, kappa, 1.0, 0)
    found = fit(points_of(law))
    assert found is not None
    assert found.lambda_ == pytest.approx(lambda_, rel=1e-3)
    assert found.sigma == pytest.approx(sigma, rel=1e-2, abs=1e-4)
    assert found.kappa == pytest.approx(kappa, rel=1e-2, abs=1e-7)
    assert found.r_squared == pytest.approx(1.0)


@pytest.mark.parametrize("seed", range(10))
def test_with_three_percent_of_noise_the_peak_is_found_within_a_fifth(seed: int) -> None:
    law = Scalability(100.0, 0.02, 0.0004, 1.0, 0)
    found = fit(points_of(law, 0.03, seed))
    assert found is not None and found.peak_users is not None and law.peak_users is not None
    assert found.peak_users == pytest.approx(law.peak_users, rel=0.2)
    assert found.r_squared is not None and found.r_squared > 0.98


@given(seed=st.integers(0, 10_000), noise=st.floats(0, 0.5))
def test_no_law_nearby_is_closer_to_the_points(seed: int, noise: float) -> None:
    points = [(users, max(rate, 0.1)) for users, rate in points_of(Scalability(50, 0.05, 0.001, 1.0, 0), noise, seed)]
    found = fit(points)
    assert found is not None
    assert found.sigma >= 0 and found.kappa >= 0 and found.lambda_ > 0
    best = squares(found, points)
    for change in (0.99, 1.01):
        for name in ("lambda_", "sigma", "kappa"):
            values = {key: getattr(found, key) for key in ("lambda_", "sigma", "kappa")}
            values[name] *= change
            assert squares(Scalability(**values, r_squared=None, points=0), points) >= best * (1 - 1e-6)


def test_growth_in_a_straight_line_goes_on() -> None:
    found = fit([(users, 3.0 * users) for users in LOADS])
    assert found is not None
    assert found.lambda_ == pytest.approx(3.0)
    assert found.throughput(200) == pytest.approx(600)


def test_growth_faster_than_a_straight_line_is_taken_as_one() -> None:
    found = fit([(users, users**1.5) for users in LOADS])
    assert found is not None and (found.sigma, found.kappa, found.peak_users) == (0, 0, None)


def test_the_peak_is_where_gunther_says() -> None:
    law = Scalability(1.0, 0.04, 0.0006, 1.0, 4)
    assert law.peak_users == pytest.approx(40)
    assert law.peak_throughput is not None
    assert law.peak_throughput >= max(law.throughput(39), law.throughput(41))


@pytest.mark.parametrize(
    "points",
    [[], [(1, 1), (2, 2), (4, 3)], [(1, 1)] * 9, [(1, 0), (2, 0), (4, 0), (8, 0)]],
    ids=["none", "three", "one load only", "no throughput"],
)
def test_too_few_points_give_no_law(points: list[tuple[float, float]]) -> None:
    assert fit(points) is None


def test_throughput_that_does_not_grow_is_fitted_too() -> None:
    found = fit([(users, 100.0) for users in (10, 20, 40, 80)])
    assert found is not None and found.r_squared is None
    assert found.throughput(40) == pytest.approx(100, rel=0.02)
