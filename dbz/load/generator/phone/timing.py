"""When an app acts on what comes quickly one after the other, like typing. Pure functions of moments in seconds.

Differences count to the microsecond: 0.9 - 0.6 is 0.3, whatever binary fractions make of it.
"""

from __future__ import annotations

from collections.abc import Sequence

DEBOUNCE_S = 0.3
THROTTLE_S = 0.1
_DIGITS = 6


def debounced(moments_s: Sequence[float], quiet_s: float = DEBOUNCE_S) -> list[tuple[float, int]]:
    """When an app acts that waits until nothing has come for a while: each moment, and which event it is about.

    `moments_s` are those of the events, in order; an event after exactly that while still cancels the one before.
    """
    acts = []
    for number, moment_s in enumerate(moments_s):
        last = number + 1 == len(moments_s)
        if last or round(moments_s[number + 1] - moment_s, _DIGITS) > quiet_s:
            acts.append((moment_s + quiet_s, number))
    return acts


def throttled(moments_s: Sequence[float], apart_s: float = THROTTLE_S) -> list[int]:
    """Which events an app passes on that passes on the first, and no other within a while after one that it did."""
    passed: list[int] = []
    for number, moment_s in enumerate(moments_s):
        if not passed or round(moment_s - moments_s[passed[-1]], _DIGITS) >= apart_s:
            passed.append(number)
    return passed
