"""Background tasks of an event loop: ended with a deadline, so that no client's lock can keep a process alive."""

from __future__ import annotations

import asyncio
import signal
import sys
import warnings
from collections.abc import Coroutine, Iterable
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")

_AGAIN_S = 0.5
_PATIENCE_S = 2.0
_CLOSING_S = 1.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def end(tasks: Iterable[asyncio.Task[Any]], within_s: float = _PATIENCE_S) -> None:
    """Cancel `tasks` and wait until they have ended; those that do not, within a time, are left to themselves.

    Cancelled again and again: a cancellation that meets a timeout inside a store's client in the same instant comes
    out as a timeout, which a loop that survives failures takes for one more failure. And left alone in the end:
    no client's lock may keep a process alive.
    """
    left = {task for task in tasks if task is not asyncio.current_task()}
    deadline = asyncio.get_running_loop().time() + within_s
    while left and (rest_s := deadline - asyncio.get_running_loop().time()) > 0:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=min(_AGAIN_S, rest_s))
    _abandon(left)


async def closed(closing: Coroutine[Any, Any, object], within_s: float = _CLOSING_S) -> None:
    """Carry out what closes a client, or leave it after a time: nothing more is to be had of it."""
    task = asyncio.ensure_future(closing)
    await asyncio.wait([task], timeout=within_s)
    if task.done() and not task.cancelled():
        task.exception()  # a client that fails to close is closed
    else:
        task.cancel()
        _abandon([task])


async def uncut(work: Coroutine[Any, Any, T]) -> T:
    """The answer of `work`, which goes on to its end also when its caller is cancelled meanwhile, and is then counted.

    For a write and the count of it: a cancellation between the two would leave written what no report tells of. It
    lasts no longer than half a second beyond the cancellation, or until a second one.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=_AGAIN_S)
        if task.done() and not task.cancelled():
            task.exception()  # the cancellation goes before what came of it
        raise
    finally:
        task.cancel()


def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """Like `asyncio.run`, but it always ends.

    The first SIGINT or SIGTERM cancels `work`, which may still tell what it has done; `asyncio.CancelledError` when it
    has nothing to tell, or did not end by itself within seconds. A second one raises `KeyboardInterrupt` at once.
    """
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    task = loop.create_task(work)
    asked = False
    at_last: asyncio.TimerHandle | None = None

    def handle(_signum: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        loop.call_soon_threadsafe(begin_to_end)

    def begin_to_end() -> None:
        nonlocal at_last
        task.cancel()
        at_last = loop.call_later(3 * _PATIENCE_S, loop.stop)

    def stop(_: object) -> None:
        loop.stop()

    before = [(each, signal.signal(each, handle)) for each in _SIGNALS]
    try:
        task.add_done_callback(stop)
        loop.run_forever()
        if not task.done():
            raise asyncio.CancelledError
        return task.result()
    except KeyboardInterrupt:
        # Raised wherever the loop was: what was just begun there, and is never awaited, is nobody's concern.
        warnings.simplefilter("ignore", RuntimeWarning)
        _abandon(asyncio.all_tasks(loop))
        raise
    finally:
        for each, handler in before:
            signal.signal(each, handler)
        task.remove_done_callback(stop)
        if at_last is not None:
            at_last.cancel()
        _close(loop)


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """End what is left in a loop, as far as it ends."""
    try:
        loop.set_exception_handler(lambda _loop, _context: None)
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            _, left = loop.run_until_complete(asyncio.wait(left, timeout=_CLOSING_S))
        if left:
            _abandon(left)
        else:
            loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _abandon(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Leave tasks to themselves, silently: what happens in them when they are thrown away is nobody's concern."""
    for task in tasks:
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        sys.unraisablehook = lambda _: None
