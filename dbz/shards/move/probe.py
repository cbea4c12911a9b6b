"""How long shards take to answer, asked all the time beside a copy: what the app would notice of it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from types import TracebackType

from pymongo.errors import PyMongoError

from dbz.shards.changes import MARKS
from dbz.shards.deployment import Deployment

_EVERY_S = 0.05
_ENOUGH_S = 0.5
_KEPT = 2_000
_JOIN_S = 1.0


class Probe:
    """Reads one small document of each shard, twenty times a second; a context manager.

    Each shard has a thread of its own, so that one that hangs does not hide the other. A shard that fails is not
    counted: whoever copies will notice by themselves.
    """

    def __init__(self, deployment: Deployment, shards: Sequence[str]) -> None:
        self._databases = {name: deployment.shard(name) for name in dict.fromkeys(shards)}
        self._answers = {name: deque[tuple[float, float]](maxlen=_KEPT) for name in self._databases}
        self._asked_at: dict[str, float] = {}
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(name,), daemon=True) for name in self._databases]

    def __enter__(self) -> Probe:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(_JOIN_S)  # one that hangs ends when its connection is closed

    @property
    def shards(self) -> tuple[str, ...]:
        """The shards that are asked."""
        return tuple(self._databases)

    def answers_ms(self, shard: str, since: float) -> list[float]:
        """The answers to questions that were asked after a moment (monotonic seconds); none before they say enough.

        One that is still awaited counts with its time so far, once that is longer than between two questions.
        """
        found = [took for asked, took in list(self._answers[shard]) if asked >= since]
        asked = self._asked_at.get(shard)
        if asked is not None and asked >= since and (waited := time.monotonic() - asked) > _EVERY_S:
            found.append(waited * 1000)
        return found if sum(found) / 1000 + len(found) * _EVERY_S >= _ENOUGH_S else []

    def _ask(self, shard: str) -> None:
        marks = self._databases[shard][MARKS]
        while not self._ended.wait(_EVERY_S):
            begin = self._asked_at[shard] = time.monotonic()
            try:
                marks.find_one({"_id": "mark"})
            except PyMongoError:
                continue
            finally:
                self._asked_at.pop(shard, None)
            self._answers[shard].append((begin, (time.monotonic() - begin) * 1000))
