"""The Universal Scalability Law, fitted to measured throughput.

    X(N) = λN / (1 + σ(N−1) + κN(N−1))

N is the number of users, X the throughput; λ is what one user alone gets, σ the share of work that is serialised
(contention), κ the cost of keeping pairs consistent (coherency). Source: N. J. Gunther, "Guerrilla Capacity Planning",
Springer 2007, chapters 4 and 5; the form with λ is in B. Schwartz, "Practical Scalability Analysis with the
Universal Scalability Law", VividCortex 2015.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MIN_POINTS = 4
_MAX_STEPS = 100
_HALVINGS = 30
_CONVERGED = 1e-12
_SHAPES = ((0, 1, 2), (0, 1), (0, 2), (0,))
"""Which of λ, σ, κ are free; the others are zero. A negative σ or κ has no meaning."""

Point = tuple[float, float]
"""A number of users, and the throughput measured with it."""


@dataclass(frozen=True)
class Scalability:
    """The fitted law."""

    lambda_: float
    """Attempts a second of a single user."""
    sigma: float
    """The share that users wait for each other, without unit."""
    kappa: float
    """What users spend on agreeing with each other, without unit."""
    r_squared: float | None
    """1 when the curve goes through every point; None when all points have the same throughput."""
    points: int
    """From how many measured points it comes."""

    def throughput(self, users: float) -> float:
        """X(N), in attempts a second."""
        return self.lambda_ * users / (1 + self.sigma * (users - 1) + self.kappa * users * (users - 1))

    @property
    def peak_users(self) -> float | None:
        """N at the highest throughput, sqrt((1−σ)/κ); None when more users never lower the throughput."""
        if self.kappa <= 0:
            return None
        return max(math.sqrt(max(1 - self.sigma, 0.0) / self.kappa), 1.0)

    @property
    def peak_throughput(self) -> float | None:
        """The highest throughput of the law; None when it has no peak."""
        return None if self.peak_users is None else self.throughput(self.peak_users)


def fit(points: Sequence[Point]) -> Scalability | None:
    """The law with the least sum of squared differences in X, with σ and κ not negative.

    None with fewer than `MIN_POINTS` different N: three unknowns would explain anything. Points are N >= 1, X > 0.
    """
    usable = [(users, rate) for users, rate in points if users >= 1 and rate > 0]
    if len({users for users, _ in usable}) < MIN_POINTS:
        return None
    fits = [found for shape in _SHAPES if (found := _fit_shape(usable, shape)) is not None]
    best = min(fits, key=lambda one: _squares(usable, one), default=None)
    if best is None:
        return None
    a, b, c = best
    mean = sum(rate for _, rate in usable) / len(usable)
    spread = sum((rate - mean) ** 2 for _, rate in usable)
    r_squared = 1 - _squares(usable, best) / spread if spread else None
    return Scalability(1 / a, b / a, c / a, r_squared, len(usable))


# In what follows N/X = a + b(N−1) + cN(N−1), so λ = 1/a, σ = b/a, κ = c/a: linear, and thus a good first guess.


def _fit_shape(points: Sequence[Point], free: Sequence[int]) -> tuple[float, float, float] | None:
    """The best a, b, c where only those in `free` are not zero; None when they make no sense."""
    guess = _solve(
        (_terms(users, free), users / rate, (rate**2 / users) ** 2)  # weights turn differences of N/X into those of X
        for users, rate in points
    )
    if guess is None:
        return None
    values = _refine(points, free, guess)
    full = [0.0, 0.0, 0.0]
    for index, value in zip(free, values, strict=True):
        full[index] = value
    a, b, c = full
    sensible = a > 0 and b >= 0 and c >= 0 and math.isfinite(_squares(points, (a, b, c)))
    return (a, b, c) if sensible else None


def _refine(points: Sequence[Point], free: Sequence[int], guess: list[float]) -> list[float]:
    """Gauss-Newton on the differences in X, with halved steps while a step makes it worse."""
    values, squares = guess, _squares_of(points, free, guess)
    for _ in range(_MAX_STEPS):
        step = _solve(_linearised(points, free, values))
        if step is None:
            return values
        for halving in range(_HALVINGS):
            tried = [value + change / 2**halving for value, change in zip(values, step, strict=True)]
            tried_squares = _squares_of(points, free, tried)
            if tried_squares < squares:
                break
        else:
            return values
        gained = squares - tried_squares
        values, squares = tried, tried_squares
        if gained <= _CONVERGED * squares:
            return values
    return values


def _linearised(
    points: Sequence[Point], free: Sequence[int], values: Sequence[float]
) -> Iterator[tuple[list[float], float, float]]:
    """Rows of the linear problem for the next step: with y = N/X(N), dX = −N/y² · dy."""
    for users, rate in points:
        terms = _terms(users, free)
        y = sum(term * value for term, value in zip(terms, values, strict=True))
        slope = -users / y**2 if y else 0.0
        yield [slope * term for term in terms], rate - (users / y if y else 0.0), 1.0


def _terms(users: float, free: Sequence[int]) -> list[float]:
    every = (1.0, users - 1, users * (users - 1))
    return [every[index] for index in free]


def _squares_of(points: Sequence[Point], free: Sequence[int], values: Sequence[float]) -> float:
    full = [0.0, 0.0, 0.0]
    for index, value in zip(free, values, strict=True):
        full[index] = value
    return _squares(points, (full[0], full[1], full[2]))


def _squares(points: Sequence[Point], abc: tuple[float, float, float]) -> float:
    """The sum of squared differences in X; infinite where the law would be negative."""
    total = 0.0
    for users, rate in points:
        y = sum(term * value for term, value in zip(_terms(users, (0, 1, 2)), abc, strict=True))
        if y <= 0:
            return math.inf
        total += (users / y - rate) ** 2
    return total


def _solve(rows: Iterator[tuple[list[float], float, float]]) -> list[float] | None:
    """Weighted linear least squares by the normal equations; None when they have no single solution.

    Each row is its terms, the value to explain, and its weight. Columns are scaled first, because the terms differ by
    orders of magnitude.
    """
    data = list(rows)
    size = len(data[0][0])
    scales = [math.sqrt(sum(weight * terms[at] ** 2 for terms, _, weight in data)) for at in range(size)]
    if not all(scales) or not all(map(math.isfinite, scales)):
        return None
    matrix = [
        [sum(weight * terms[i] * terms[j] for terms, _, weight in data) / (scales[i] * scales[j]) for j in range(size)]
        + [sum(weight * terms[i] * value for terms, value, weight in data) / scales[i]]
        for i in range(size)
    ]
    solution = _eliminate(matrix)
    return None if solution is None else [value / scale for value, scale in zip(solution, scales, strict=True)]


def _eliminate(matrix: list[list[float]]) -> list[float] | None:
    """Gauss-Jordan elimination with pivoting of a small augmented matrix."""
    size = len(matrix)
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(matrix[row][column]))
        if abs(matrix[pivot][column]) < 1e-13:
            return None
        matrix[column], matrix[pivot] = matrix[pivot], matrix[column]
        for row in range(size):
            if row != column:
                factor = matrix[row][column] / matrix[column][column]
                matrix[row] = [value - factor * lead for value, lead in zip(matrix[row], matrix[column], strict=True)]
    return [matrix[row][size] / matrix[row][row] for row in range(size)]
