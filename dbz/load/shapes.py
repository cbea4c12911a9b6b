"""Named shapes of a load: short names for stages that everybody needs."""

from __future__ import annotations

from dbz.load.arrivals import Stage

SPIKE_FACTOR = 5.0
_SPIKE_JUMP_S = 1.0


def spike(level: float, duration_s: float) -> list[Stage]:
    """`level` for two fifths, `SPIKE_FACTOR` times as much for one fifth, and back: does the system recover?"""
    jump_s = min(_SPIKE_JUMP_S, duration_s / 20)
    high_s = duration_s / 5
    calm_s = (duration_s - high_s) / 2
    return [
        Stage(level, calm_s - jump_s),
        Stage(level * SPIKE_FACTOR, jump_s),
        Stage(level * SPIKE_FACTOR, high_s - jump_s),
        Stage(level, jump_s),
        Stage(level, calm_s),
    ]


def soak(level: float, duration_s: float) -> list[Stage]:
    """`level` all the time: what leaks shows up when it lasts."""
    return [Stage(level, duration_s)]


def staircase(level: float, duration_s: float) -> list[Stage]:
    """Five steps up to `level`: where does it begin to bend?"""
    step_s = duration_s / 5
    stages = []
    for number in range(1, 6):
        stages += [Stage(level * number / 5, 0.0), Stage(level * number / 5, step_s)]
    return stages


SHAPES = {"spike": spike, "soak": soak, "staircase": staircase}
