"""Looks at the machine that are shared: whoever asks the same a moment later gets the same answer."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Hashable
from typing import ParamSpec, TypeVar

_MOMENT_S = 0.2
Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")


def for_a_moment(look: Callable[Parameters, Answer]) -> Callable[Parameters, Answer]:
    """A look whose answer stands for a fifth of a second after it was had; arguments are what it is kept by.

    A monitor asks ten services at once, each of which would go through all processes of the machine by itself. Threads
    that come while one looks wait for its answer. Nobody may change an answer.
    """
    kept: dict[Hashable, tuple[float, Answer]] = {}
    lock = threading.Lock()

    @functools.wraps(look)
    def shared(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Answer:
        key = (args, tuple(sorted(kwargs.items())))
        with lock:
            for old in [one for one, (had_s, _) in kept.items() if time.monotonic() - had_s > _MOMENT_S]:
                del kept[old]
            if key not in kept:
                answer = look(*args, **kwargs)
                kept[key] = time.monotonic(), answer
            return kept[key][1]

    return shared
