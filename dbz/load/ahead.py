"""A generator that is started before its orders are known: loading its libraries takes as long as a stack does."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from dbz.children import Child, python_module
from dbz.load.spec import ENVIRONMENT_KEY, ORDERS_FOLLOW, GeneratorSpec

GENERATOR = "generator-0"
"""The name of a generator that is alone."""
_GRACE_S = 2.0


def generator_child(name: str, logs: Path, orders: str, descriptors: tuple[int, ...] = ()) -> Child:
    """A generator process; `orders` is its `GeneratorSpec` as text, or that it follows."""
    env = {ENVIRONMENT_KEY: orders, "PYTHONUNBUFFERED": "1"}
    log = logs / f"{name}.log"
    # Between asking a process that has had its last words to end and killing it.
    return Child(name, python_module("dbz.load.generator"), log=log, env=env, grace_s=_GRACE_S, descriptors=descriptors)


class WaitingGenerator:
    """A generator process that waits for its orders, for a run whose generator is alone. A context manager.

    Without orders it ends when this one does, and leaves nothing behind but an empty log.
    """

    def __init__(self, logs: Path) -> None:
        reading, self._orders = os.pipe()
        try:
            self._child: Child | None = generator_child(GENERATOR, logs, ORDERS_FOLLOW, (reading,))
        except BaseException:
            os.close(self._orders)
            raise
        finally:
            os.close(reading)

    def __enter__(self) -> WaitingGenerator:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            os.close(self._orders)
            self._child.stop()
            self._child = None

    def begin(self, spec: GeneratorSpec) -> Child:
        """Let it do what it waited for; from now on the caller stops it.

        One that has ended meanwhile takes no orders: its exit code and its log tell why, as those of any other do.
        """
        assert self._child is not None, "it has begun"
        child, self._child = self._child, None
        with suppress(BrokenPipeError), os.fdopen(self._orders, "w", encoding="utf-8") as orders:
            orders.write(spec.to_json())
        return child
