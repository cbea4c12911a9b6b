"""Workers on other machines: how they join a master, and how the master keeps their record.

A worker asks over Locust's own connection what to do, and gets the spec, the scenario's text, and how far the run is:
it counts its seconds from there, so the clocks of the machines need not agree.
"""

from __future__ import annotations

import logging
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event
from locust.rpc import Message

import dbz
from dbz.bounded import SCENARIO, read_within
from dbz.config import bundled
from dbz.errors import DependencyError, UsageError
from dbz.load.generator.net.channel import Channel
from dbz.load.generator.record.sinks import RECORD_MESSAGE, FileSink, MasterSink, Sink
from dbz.load.spec import SECRET_VARIABLE, WORKER_PATIENCE_S, GeneratorRole, GeneratorSpec
from dbz.load.target.allowed_hosts import check_host
from dbz.measure.latency import interval_log

JOIN_MESSAGE, SPEC_MESSAGE, END_MESSAGE, DONE_MESSAGE = "dbz_join", "dbz_spec", "dbz_end", "dbz_done"
DECLINE_MESSAGE = "dbz_decline"
"""Of a worker that does not take the place that it was given."""
LEFT_MESSAGE = "dbz_left"
"""Of a worker that its scenario has ended. Locust's own word for it would have its users start elsewhere."""
_log = logging.getLogger(__name__)
_ASK_AGAIN_S = 1.0
_FAREWELL_MS = 1000
"""How long a last word may be under way."""
_LAST_RECORD_S = 5.0
_LAST_STATISTICS_S = 1.5


class Reception:
    """The master's side: hands out worker numbers and specs, and writes what those who got a number send.

    A master of workers on this machine hands nothing out, and so takes no record from anybody.
    """

    def __init__(self, spec: GeneratorSpec, runner: Any) -> None:
        self._spec = spec
        self._runner = runner
        self._workers: dict[str, int] = {}
        self._tickets: dict[int, str] = {}
        self._sinks: dict[int, FileSink] = {}
        self._finished: set[int] = set()
        runner.register_message(JOIN_MESSAGE, self._on_join)
        runner.register_message(DECLINE_MESSAGE, self._on_decline)
        runner.register_message(RECORD_MESSAGE, self._on_record)

    def end(self) -> int:
        """Ask the workers for the rest of their record; returns how many of other machines did not send it."""
        self._runner.send_message(END_MESSAGE)
        deadline_s = time.monotonic() + _LAST_RECORD_S
        while len(self._finished) < len(self._workers) and time.monotonic() < deadline_s:
            gevent.sleep(0.05)
        deadline_s = min(deadline_s, time.monotonic() + _LAST_STATISTICS_S)
        while self._runner.worker_count and time.monotonic() < deadline_s:
            gevent.sleep(0.05)  # their last word for Locust's statistics comes as they leave
        for sink in self._sinks.values():
            sink.close()
        return len(self._workers) - len(self._finished)

    def _on_join(self, environment: Any, msg: Any) -> None:  # noqa: ARG002 Locust's signature
        free = (number for number in range(self._spec.workers) if number not in self._workers.values())
        number = self._workers.get(msg.node_id, next(free, self._spec.workers))
        answer: dict[str, Any] = {"now_s": time.monotonic() - self._spec.started_monotonic_s}
        if msg.data.get("version") != dbz.__version__:
            answer["refused"] = f"the master runs dbz {dbz.__version__}"
        elif not self._spec.admits_workers or number >= self._spec.workers:
            answer["refused"] = f"the master has its {self._spec.workers} workers already"
        else:
            self._workers[msg.node_id] = number
            ticket = self._tickets.setdefault(number, secrets.token_hex(16))
            orders = replace(self._spec, worker=number, ticket=ticket, secret="")
            answer |= {"spec": orders.to_json(), "scenario": _packed(self._spec.scenario)}
        self._runner.server.send_to_client(Message(SPEC_MESSAGE, answer, msg.node_id))

    def _on_decline(self, environment: Any, msg: Any) -> None:  # noqa: ARG002 Locust's signature
        number = self._workers.pop(msg.node_id, None)
        if number is not None:
            del self._tickets[number]

    def _on_record(self, environment: Any, msg: Any) -> None:  # noqa: ARG002 Locust's signature
        number, ticket = int(msg.data["worker"]), str(msg.data["ticket"])
        if not ticket or not secrets.compare_digest(ticket, self._tickets.get(number, "")):
            _log.warning("a record of %s is not taken: worker %d is somebody else, or nobody", msg.node_id, number)
            return
        if number not in self._sinks:
            self._sinks[number] = FileSink(Path(self._spec.folder), number, self._spec.started_epoch_s)
        if msg.data.get("last"):
            self._finished.add(number)
            self._runner.server.send_to_client(Message(DONE_MESSAGE, None, msg.node_id))
            return
        # All of it is read before any of it is written: a damaged record leaves nothing half done.
        intervals = [interval_log.parse(text) for text in msg.data["intervals"]]
        self._sinks[number].write((interval for interval in intervals if interval is not None), dict(msg.data["line"]))


def obey(runner: Any, end: Callable[[], None], sink: Sink) -> None:
    """The worker's side of a run: call `end` when the master wants the rest of the record."""
    runner.register_message(END_MESSAGE, lambda **_: end())
    if isinstance(sink, MasterSink):
        runner.register_message(DONE_MESSAGE, lambda **_: sink.acknowledged.set())


def join(spec: GeneratorSpec) -> GeneratorSpec:
    """Ask the master what to do; `DependencyError` when it does not answer, `UsageError` when it refuses.

    So it is when the master wants a host loaded that nobody allowed here; then another worker gets the place.
    """
    node = f"dbz-{secrets.token_hex(8)}"
    client = Channel(spec.secret).connect(spec.master_host, spec.master_port, node)
    question = Message(JOIN_MESSAGE, {"version": dbz.__version__}, node)
    answer, listened = None, Event()
    with gevent.Timeout(WORKER_PATIENCE_S, False):
        asking = gevent.spawn(_ask_again_and_again, client, question, spec, listened)
        answer = client.recv().data
    asking.kill()
    received_s = time.monotonic()
    if answer is None:
        client.close(linger=0)
        raise _silent(spec, listened.is_set())
    if "refused" in answer:
        client.close(linger=0)
        raise UsageError(f"the master at {spec.master_host} refused this worker: {answer['refused']}", code="L011")
    orders = GeneratorSpec.from_json(answer["spec"])
    try:
        for host in (orders.target, *orders.hosts):
            check_host(host, spec.allowed_targets)
    except UsageError:
        client.send(Message(DECLINE_MESSAGE, None, node))
        raise
    finally:
        client.close(linger=_FAREWELL_MS)
    return replace(
        orders,
        role=GeneratorRole.REMOTE,
        scenario=_unpacked(answer["scenario"], Path(spec.folder)),
        master_host=spec.master_host,
        master_port=spec.master_port,
        secret=spec.secret,
        started_monotonic_s=received_s - answer["now_s"],
        allowed_targets=spec.allowed_targets,
    )


def _silent(spec: GeneratorSpec, listened: bool) -> DependencyError:
    """Why no master answered: nobody listens, or somebody who does not know this worker's secret."""
    message = f"no master answered at {spec.master_host}:{spec.master_port} within {WORKER_PATIENCE_S:g} s"
    if listened:
        message += f"; somebody listens there, but has another {SECRET_VARIABLE}, or is no master"
    return DependencyError(message, code="L012")


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), _ASK_AGAIN_S).close()
    except OSError:
        return False
    return True


def _ask_again_and_again(client: Any, question: Any, spec: GeneratorSpec, listened: Event) -> None:
    # The master may not be up yet; asking twice is harmless.
    while True:
        client.send(question)
        gevent.sleep(_ASK_AGAIN_S)
        # To a stranger ZeroMQ is silent: that somebody listens can only be seen by connecting.
        if not listened.is_set() and _listens(spec.master_host, spec.master_port):
            listened.set()


def _packed(scenario: str) -> dict[str, str]:
    """A scenario as it travels: a bundled one by its name, any other file by its text."""
    path = Path(scenario)
    if not scenario:
        return {}
    if path.parent == bundled.bundled_folder("scenarios"):
        return {"bundled": path.stem}
    return {"name": path.name, "text": read_within(path, SCENARIO).decode()}


def _unpacked(scenario: dict[str, str], folder: Path) -> str:
    if not scenario:
        return ""
    if "bundled" in scenario:
        return str(bundled.resolve("scenario", scenario["bundled"], "scenarios", ".py"))
    path = folder / "scenario" / Path(scenario["name"]).name
    path.parent.mkdir()
    path.write_text(scenario["text"])
    return str(path)
