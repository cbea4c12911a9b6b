"""Looks at the machine that are shared by those who ask at one moment, and by nobody else."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")


@dataclass
class _Moment:
    """What was seen so far."""

    answers: dict[Hashable, Any] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)


_now: ContextVar[_Moment | None] = ContextVar("now", default=None)


@contextmanager
def one_moment() -> Iterator[None]:
    """Within this block, also in the tasks and threads that it starts, the same look is made once only.

    A monitor asks ten services at once, each of which would go through all processes of the machine by itself.
    """
    token = _now.set(_Moment())
    try:
        yield
    finally:
        _now.reset(token)


def once_a_moment(look: Callable[Parameters, Answer]) -> Callable[Parameters, Answer]:
    """A look whose answer stands until the end of `one_moment`, and is not kept outside of one.

    Arguments are what it is kept by; nobody may change an answer. Threads that come while one looks wait for it.
    """

    @functools.wraps(look)
    def shared(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Answer:
        moment = _now.get()
        if moment is None:
            return look(*args, **kwargs)
        key = (look, args, tuple(sorted(kwargs.items())))
        with moment.lock:
            if key not in moment.answers:
                moment.answers[key] = look(*args, **kwargs)
            answer: Answer = moment.answers[key]
            return answer

    return shared
