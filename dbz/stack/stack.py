"""Bringing the embedded stack up, watching it, and taking it down."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType

from dbz.children import Child, free_port, stop_all, wait_until
from dbz.errors import DependencyError
from dbz.stack import parts
from dbz.stack.options import StackOptions
from dbz.stack.parts import Part
from dbz.stack.probes import check_port, port_is_taken, server_is_warm

_PORT_TRIES = 3
_SERVERS = ("server", "cloud")
_WARM_MOST_S, _WARM_POLL_S = 120.0, 0.25
"""How long a server may need to fill its cache, and how often it is asked."""


@dataclass(frozen=True)
class Starting:
    """A part that was started and may not be up yet."""

    make: Callable[[], Part]
    """Makes the part again, on another port."""
    part: Part


class Stack:
    """A document store, a cache and the reference server, as child processes of this one.

    Made by `start_stack`; a context manager that stops everything on exit.
    """

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        """The folder with a log file of each part."""
        self.url = ""
        """The server's base URL."""
        self.mongo_uri = ""
        self.redis_url = ""
        self.shards: dict[str, str] = {}
        """The environment variables of the bundled shards file; empty with one store."""
        self.cloud_url = ""
        """The local cloud's, empty without one."""
        self.started_in_s = 0.0
        """Seconds from nothing to up and seeded."""
        self._running: dict[str, tuple[Part, Child]] = {}

    def __enter__(self) -> Stack:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    @property
    def pids(self) -> dict[str, int]:
        """Process id of each part's program, by the part's name (`store`, `cache`, `server`)."""
        return {name: child.pid for name, (_, child) in self._running.items()}

    def dead(self) -> str | None:
        """The name of a part that has ended although nobody stopped it, or None."""
        return next((name for name, (_, child) in self._running.items() if child.exit_code is not None), None)

    def check(self) -> None:
        """Raise `DependencyError` with the end of its log when a part has ended."""
        name = self.dead()
        if name is not None:
            part, child = self._running[name]
            raise DependencyError(
                f"{part.what} ended with code {child.exit_code} while it was needed:\n{child.log_tail()}",
                hint=f"log: {child.log}",
                code="E015",
            )

    def wait_until_warm(self, interrupted: Callable[[], bool]) -> None:
        """Wait until the server has filled its cache, but no longer than `_WARM_MOST_S`, or than nobody interrupts.

        A load may begin before; what is measured then is another server. Raises what `check` does.
        """
        server = self._running["server"][0]
        until_s = time.monotonic() + _WARM_MOST_S
        while not server_is_warm(server.host, server.port) and time.monotonic() < until_s and not interrupted():
            self.check()
            time.sleep(_WARM_POLL_S)

    def release(self) -> None:
        """Ask the server to end, without waiting for it: nobody has a use for the stack any more."""
        for name in _SERVERS:
            if name in self._running:
                self._running[name][1].release()

    def stop(self) -> None:
        """End all parts: the server first, so that it still has its stores while it closes."""
        stores = [name for name in self._running if name not in _SERVERS]
        for names in (_SERVERS, stores):
            stop_all(self._running[name][1] for name in names if name in self._running)
        self._running.clear()

    def bring_up(self, *makers: Callable[[], Part]) -> list[Part]:
        """Start parts side by side and wait until all answer."""
        return self.wait_for(self.start(*makers))

    def start(self, *makers: Callable[[], Part]) -> list[Starting]:
        """Start parts side by side; they are up after `wait_for`."""
        return [Starting(make, self._start(make())) for make in makers]

    def wait_for(self, starting: Iterable[Starting]) -> list[Part]:
        """Wait until all these parts answer.

        A free port can be lost to somebody else before its server listens on it: that part is made again.
        """
        return [self._wait_ready(each.make, each.part, tries_left=_PORT_TRIES - 1) for each in starting]

    def restart(self, starting: Starting) -> Starting:
        """Stop a part, and start it as it is made now."""
        self._running[starting.part.name][1].stop()
        return Starting(starting.make, self._start(starting.make()))

    def _start(self, part: Part) -> Part:
        log = self.logs / f"{part.name}.log"
        env = {"PYTHONUNBUFFERED": "1", **part.env}
        child = Child(part.what, part.argv, log=log, env=env, scratch=[part.scratch], grace_s=part.grace_s)
        self._running[part.name] = (part, child)
        return part

    def _wait_ready(self, make: Callable[[], Part], part: Part, tries_left: int) -> Part:
        child = self._running[part.name][1]
        try:
            wait_until(lambda: part.ready(part.host, part.port), child, deadline_s=part.deadline_s, what=part.what)
        except DependencyError:
            if not tries_left or child.exit_code is None or not port_is_taken(part.host, part.port):
                raise
            child.stop()
            return self._wait_ready(make, self._start(make()), tries_left - 1)
        return part


def start_stack(options: StackOptions, logs: Path, meanwhile: Callable[[], None] = lambda: None) -> Stack:
    """Start the embedded stack, seeded and ready, with one log file a part in the folder `logs`.

    `meanwhile` is called while the programs start: for what the caller has to do anyway.
    Raises `UsageError` when the port asked for is taken or `logs` cannot be written, `DependencyError` when the
    `embedded` extra is missing or a part does not come up. Whatever ends this function early (a signal that raises
    too), nothing keeps running.
    """
    begin = time.monotonic()
    if options.port is not None:
        check_port(options.host, options.port)
    parts.require_packages(cloud=options.cloud > 0)
    stack = Stack(logs)
    try:
        _bring_up_all(stack, options, meanwhile)
    except BaseException:
        stack.stop()
        raise
    stack.started_in_s = time.monotonic() - begin
    return stack


def _bring_up_all(stack: Stack, options: StackOptions, meanwhile: Callable[[], None]) -> None:
    # With shards one store more: it stands by, to be added to the map.
    names = ["store", *(f"shard_{number}" for number in range(1, options.shards + 1) if options.shards > 1)]
    stores = stack.start(*(partial(parts.document_store, name) for name in names), parts.cache)
    addressed = [each.part for each in stores]
    _note_addresses(stack, options, addressed)
    if options.cloud:
        meanwhile()
        _note_addresses(stack, options, stack.wait_for(stores))
        _bring_up_cloud(stack, options)
        return
    # It loads its libraries while its stores start.
    (server,) = stack.start(lambda: parts.server(options, stack.mongo_uri, stack.redis_url, stack.shards))
    meanwhile()
    up = stack.wait_for(stores)
    if up != addressed:
        _note_addresses(stack, options, up)
        server = stack.restart(server)
    (server_part,) = stack.wait_for([server])
    stack.url = f"http://{server_part.host}:{server_part.port}"


def _note_addresses(stack: Stack, options: StackOptions, stores: Sequence[Part]) -> None:
    *document_stores, cache = stores
    uris = [parts.store_uri(store.port) for store in document_stores]
    stack.mongo_uri = uris[0]
    stack.redis_url = f"redis://{cache.host}:{cache.port}/0"
    stack.shards = parts.shard_variables(options, uris, stack.redis_url)


def _bring_up_cloud(stack: Stack, options: StackOptions) -> None:
    """Write the demo data, then start the local cloud, whose tasks are servers: no task is the first.

    Not at the same time: the store has hung for good when servers made their indexes while the data were written.
    """
    seeds = parts.seeding(options, stack.mongo_uri, stack.shards)
    with Child("the demo data", seeds, log=stack.logs / "seed.log", env=stack.shards) as seeding:
        code = seeding.wait(parts.SEED_DEADLINE_S)
    if code != 0:
        raise DependencyError(
            f"the demo data could not be written:\n{seeding.log_tail()}", hint=f"log: {seeding.log}", code="E015"
        )
    port = options.port or free_port(options.host)
    stores = stack.mongo_uri, stack.redis_url, stack.shards
    (cloud,) = stack.bring_up(lambda: parts.cloud(options, port, stack.logs, *stores))
    stack.cloud_url = f"http://{cloud.host}:{cloud.port}"
    stack.url = f"http://{options.host}:{port}"
