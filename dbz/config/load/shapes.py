"""How a load changes: stages, and named shapes, which are short names for stages that everybody needs."""

from __future__ import annotations

from dataclasses import dataclass

SPIKE_FACTOR = 5.0
_SPIKE_JUMP_S = 1.0


@dataclass(frozen=True)
class Stage:
    """A linear change of the target to `to` within `over_s` seconds; to the same target it is a hold."""

    to: float
    """Users, or arrivals a second."""
    over_s: float
    name: str = ""
    """Says that something begins here that a reader would look for; it changes nothing."""


def spike(level: float, duration_s: float) -> list[Stage]:
    """`level` for two fifths, `SPIKE_FACTOR` times as much for one fifth, and back: does the system recover?"""
    jump_s = min(_SPIKE_JUMP_S, duration_s / 20)
    high_s = duration_s / 5
    calm_s = (duration_s - high_s) / 2
    return [
        Stage(level, calm_s - jump_s, "before the spike"),
        Stage(level * SPIKE_FACTOR, jump_s, f"spike, ×{SPIKE_FACTOR:g}"),
        Stage(level * SPIKE_FACTOR, high_s - jump_s),
        Stage(level, jump_s, "recovery"),
        Stage(level, calm_s),
    ]


def soak(level: float, duration_s: float) -> list[Stage]:
    """`level` all the time: what leaks shows up when it lasts."""
    return [Stage(level, duration_s, "soak")]


def staircase(level: float, duration_s: float) -> list[Stage]:
    """Five steps up to `level`: where does it begin to bend?"""
    step_s = duration_s / 5
    stages = []
    for number in range(1, 6):
        height = level * number / 5
        stages += [Stage(height, 0.0, f"step {number} of 5"), Stage(height, step_s)]
    return stages


SHAPES = {"spike": spike, "soak": soak, "staircase": staircase}
