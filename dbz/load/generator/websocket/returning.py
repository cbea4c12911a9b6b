"""What sockets that come back by themselves have in common: their pauses, and errors of a scenario's handlers."""

from __future__ import annotations

import random

from gevent.exceptions import BlockingSwitchOutError

from dbz.load.generator.record.describing import describe_with_line

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 5.0


def pause_s(attempt: int) -> float:
    """Growing, and different for each: who was lost together must not come back together."""
    return min(_FIRST_PAUSE_S * 2.0**attempt, _LONGEST_PAUSE_S) * random.uniform(0.5, 1.5)


def handler_error(error: Exception) -> str:
    """What a handler of the scenario raised, in one line."""
    if isinstance(error, BlockingSwitchOutError):
        return "HandlerBlocks: a handler must not wait, for it holds up all users; spawn a greenlet for that"
    return describe_with_line(error)
