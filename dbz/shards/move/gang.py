"""Moves that run beside each other: a thread for each, as many as are allowed, and one place where they end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue

from dbz.shards.errors import PausedError
from dbz.shards.journal import Move
from dbz.shards.move.schedule import Parallelism, startable

_WIND_DOWN_S = 2.0


class MoveGang:
    """Carries out moves by `work`, which looks at `halt` and ends with `PausedError` when that is set.

    The first error of one halts all: a store that is away, or a lease that was lost, concerns every move. Threads do
    not keep the process alive, for what they leave behind at any instant can be resumed.
    """

    def __init__(self, work: Callable[[Move], Move], allowed: Parallelism, halt: threading.Event) -> None:
        self._work = work
        self._allowed = allowed
        self._halt = halt
        self._ended: SimpleQueue[tuple[Move, Move | BaseException]] = SimpleQueue()
        self._running: dict[str, tuple[Move, threading.Thread]] = {}

    def run(self, moves: Sequence[Move]) -> Iterator[Move]:
        """Each move as it ends, whatever became of it; then the error, or the pause, that ended the others."""
        waiting, failure = list(moves), None
        try:
            while True:
                if not failure:
                    self._start(waiting)
                if not self._running:
                    break
                move, result = self._ended.get()
                del self._running[move.id]
                if isinstance(result, BaseException):
                    failure = self._graver(failure, result)
                    self._halt.set()
                else:
                    yield result
        finally:
            if self._running:  # somebody wants to end where things stand
                self._halt.set()
            for _, thread in list(self._running.values()):
                thread.join(_WIND_DOWN_S)
        if failure is not None:
            raise failure

    def _start(self, waiting: list[Move]) -> None:
        for move in startable(waiting, [running for running, _ in self._running.values()], self._allowed):
            waiting.remove(move)
            thread = threading.Thread(target=self._carry_out, args=(move,), daemon=True, name=move.id)
            self._running[move.id] = (move, thread)
            thread.start()

    def _carry_out(self, move: Move) -> None:
        try:
            self._ended.put((move, self._work(move)))
        except BaseException as error:  # it is raised again where the moves are waited for
            self._ended.put((move, error))

    @staticmethod
    def _graver(before: BaseException | None, error: BaseException) -> BaseException:
        return error if before is None or isinstance(before, PausedError) else before
