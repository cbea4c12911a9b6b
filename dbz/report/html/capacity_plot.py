"""The charts of the capacity page: drawings that need no script.

Every text from outside goes through `escape`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from dbz.measure.scalability import Scalability
from dbz.report.words.capacity import ANSWERS, used_text
from dbz.runs.capacity import Capacity, CapacityStep, load_text
from dbz.units import format_rate

_WIDTH, _HEIGHT = 560, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 14, 36
_TICKS = 5
_CURVE_POINTS = 80
_USED_SHOWN = 2.0
"""Budgets used beyond this are drawn at the upper edge: what counts is on which side of 1 they are."""


@dataclass(frozen=True)
class Frame:
    """The drawing area for values from 0 to `right` and from 0 to `top`."""

    right: float
    top: float

    def x(self, value: float) -> float:
        """The horizontal place of a value."""
        return round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * value / self.right, 1)

    def y(self, value: float) -> float:
        """The vertical place of a value."""
        return round(_HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * value / self.top, 1)


def throughput_plot(found: Capacity) -> str:
    """Throughput over load: a mark a run, the fitted law, the capacity and the phases."""
    fit = found.scalability
    what = fit.what if fit else ("requests" if any(step.requests_per_s for step in found.steps) else "attempts")
    values = [step.requests_per_s if what == "requests" else step.attempts_per_s for step in found.steps]
    frame = Frame(_right(found), 1.1 * max([*values, 0.1]))
    parts = [_axes(frame, format_rate, _unit(found)), _capacity_line(found, frame)]
    if fit:
        law = Scalability(fit.lambda_, fit.sigma, fit.kappa, fit.r_squared, fit.points)
        parts.append(_curve(law, frame))
    marks = zip(found.steps, values, strict=True)
    parts += [_mark(found, step, frame.x(step.load), frame.y(value)) for step, value in marks]
    name = "HTTP requests" if what == "requests" else "Attempts"
    legend = _legend(found, ("law", "Universal Scalability Law")) if fit else _legend(found)
    return _figure(f"{name} a second", "".join(parts), legend)


def limits_plot(found: Capacity) -> str:
    """How much of its limit the tightest budget used, over load."""
    frame = Frame(_right(found), 1.05 * _USED_SHOWN)
    limit = f'<line class="limit" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{frame.y(1)}" y2="{frame.y(1)}"/>'
    parts = [_axes(frame, lambda value: f"{value * 100:.0f} %", _unit(found)), limit, _capacity_line(found, frame)]
    for step in found.steps:
        if step.tightest:
            used = _USED_SHOWN if step.used is None else min(step.used, _USED_SHOWN)
            parts.append(_mark(found, step, frame.x(step.load), frame.y(used)))
    legend = _legend(found, ("limit", "limit"))
    return _figure("The tightest budget, of its limit (200 % or more at the edge)", "".join(parts), legend)


def _legend(found: Capacity, *more: tuple[str, str]) -> list[tuple[str, str]]:
    given = {step.answer for step in found.steps}
    answers = [(name, text) for name, text in ANSWERS.items() if name in given]
    return [*answers, *more, *([("capacity", "capacity")] if found.capacity else [])]


def _right(found: Capacity) -> float:
    return 1.05 * max([step.load for step in found.steps], default=1)


def _unit(found: Capacity) -> str:
    return "arrivals/s" if found.scaled == "rate" else "users"


def _axes(frame: Frame, text_of: Callable[[float], str], unit: str) -> str:
    parts = []
    for value in ticks(frame.top):
        y = frame.y(value)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{escape(text_of(value))}</text>')
    parts += [
        f'<text x="{frame.x(value)}" y="{_HEIGHT - 20}" text-anchor="middle">{value:,.0f}</text>'
        for value in ticks(frame.right)
    ]
    parts.append(f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 5}" text-anchor="end">{unit}</text>')
    return "".join(parts)


def ticks(top: float) -> list[float]:
    """About `_TICKS` round values from 0 to `top`."""
    raw = top / _TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
    return [number * step for number in range(int(top / step) + 1)]


def _capacity_line(found: Capacity, frame: Frame) -> str:
    if found.capacity is None:
        return ""
    x = frame.x(found.capacity.load)
    return f'<line class="capacity" x1="{x}" x2="{x}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>'


def _curve(law: Scalability, frame: Frame) -> str:
    users = [1 + (frame.right - 1) * at / (_CURVE_POINTS - 1) for at in range(_CURVE_POINTS)]
    places = [f"{frame.x(one)},{frame.y(min(law.throughput(one), frame.top))}" for one in users]
    return f'<path class="line law" d="M{"L".join(places)}"/>'


def _mark(found: Capacity, step: CapacityStep, x: float, y: float) -> str:
    """A circle where the load holds, a cross where it breaks, a ring where nothing could be decided."""
    words = [
        load_text(found.scaled, step.load),
        ANSWERS[step.answer],
        format_rate(step.attempts_per_s),
        used_text(step),
    ]
    title = f"<title>{escape(', '.join(word for word in words if word))}</title>"
    return f'<g class="point {escape(step.answer)}">{title}{_shape(step.answer, x, y)}</g>'


def _shape(answer: str, x: float, y: float) -> str:
    if answer == "breaks":
        return f'<path d="M{x - 4.5},{y - 4.5}l9,9m0,-9l-9,9"/>'
    return f'<circle cx="{x}" cy="{y}" r="4.5"/>'


def _figure(title: str, body: str, legend: Sequence[tuple[str, str]]) -> str:
    names = "".join(f"<span>{_sample(name)}{escape(text)}</span>" for name, text in legend)
    return (
        f'<figure class="chart plot"><figcaption>{escape(title)}</figcaption>'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)} over load">{body}</svg>'
        f'<div class="legend">{names}</div></figure>'
    )


def _sample(name: str) -> str:
    """What a name of the legend looks like in the chart."""
    if name in ANSWERS:
        body = f'<g class="point {name}">{_shape(name, 8, 6)}</g>'
    else:
        body = f'<line class="line {name}" x1="0" x2="16" y1="6" y2="6"/>'
    return f'<svg class="sample" width="16" height="12" aria-hidden="true">{body}</svg>'
