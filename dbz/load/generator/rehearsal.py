"""`python -m dbz.load.generator.rehearsal`: each user class once, each of its tasks once, and every exchange told.

What happens is written as lines of JSON into the file that the question names; `dbz.load.rehearsal` reads them.
"""

from dbz.load.generator.patching import patch_standard_library

patch_standard_library()

import json  # noqa: E402
import logging  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
import traceback  # noqa: E402
from collections.abc import Callable, Iterator, Mapping  # noqa: E402
from functools import partial  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any, TextIO  # noqa: E402

import gevent  # noqa: E402
from gevent.event import Event  # noqa: E402
from locust.exception import InterruptTaskSet, RescheduleTask, StopUser  # noqa: E402
from locust.user.task import TaskSet  # noqa: E402

import dbz  # noqa: E402
from dbz.config.load.arrivals import recorded_arrivals  # noqa: E402
from dbz.errors import DbzError, ExitCode  # noqa: E402
from dbz.load.generator import users  # noqa: E402
from dbz.load.generator.data.feeders import settle_feeders  # noqa: E402
from dbz.load.generator.data.secrets import masked  # noqa: E402
from dbz.load.generator.net import waiting  # noqa: E402
from dbz.load.generator.pace.timetable import Timetable  # noqa: E402
from dbz.load.generator.process import GeneratorProcess  # noqa: E402
from dbz.load.generator.session import Session  # noqa: E402
from dbz.load.generator.setup import once  # noqa: E402
from dbz.load.generator.socketio.client import SocketClient  # noqa: E402
from dbz.load.generator.socketio.namespace import Namespace  # noqa: E402
from dbz.load.generator.websocket.frames import BINARY, TEXT  # noqa: E402
from dbz.load.generator.websocket.raw import RawSocket  # noqa: E402
from dbz.load.spec import ENVIRONMENT_KEY, GeneratorSpec  # noqa: E402
from dbz.protocols import socketio as packets  # noqa: E402
from dbz.runs.storage.record import SETUP_NAME, SETUP_UNTIL, TEARDOWN_NAME, TEARDOWN_UNTIL  # noqa: E402

_LISTENING_S = 1.0
"""After the last task what other users sent has this long to arrive."""
_LONGEST_BODY = 500_000
_ENDS = (StopUser, InterruptTaskSet, RescheduleTask)
_PACKETS = {packets.CONNECT: "connect", packets.DISCONNECT: "disconnect", packets.CONNECT_ERROR: "refused"}


class _NoRecord:
    """A sink that keeps nothing: a rehearsal measures nothing."""

    def write(self, *_: Any) -> None:
        """Forget it."""

    def close(self) -> None:
        """Nothing to close."""


class _Teller:
    """Writes what happens."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._begun: set[str] = set()
        self._owners: dict[int, str] = {}  # by the connection that the namespaces of a user share

    def tell(self, what: str, **more: Any) -> None:
        """One line; secrets of the scenario are masked."""
        line = {"what": what, "at_s": time.monotonic(), **more}
        self._file.write(masked(json.dumps(line, default=str)) + "\n")
        self._file.flush()

    now_s = 0.0
    """A rehearsal has no course of which notes are taken."""

    def mark(self, what: str, at_s: float, **more: object) -> None:  # noqa: ARG002 a rehearsal has no clock
        """Tell that setup, or teardown, begins; the mark of its end is the second one."""
        name = {SETUP_UNTIL: SETUP_NAME, TEARDOWN_UNTIL: TEARDOWN_NAME}[what]
        if name not in self._begun:
            self._begun.add(name)
            self.tell("step", user="scenario", task=name)

    def note_error(self, kind: str, name: str, error: str) -> None:  # noqa: ARG002 there is one kind here
        """Tell that setup or teardown failed."""
        self.tell("raised", user="scenario", task=name, error=error, line="")

    def know(self, user: Any) -> None:
        """Tell packets of this user's connection as its own."""
        socket = getattr(user, "socket", None)
        if isinstance(socket, SocketClient):
            self._owners[id(socket._link)] = type(user).__name__
        elif isinstance(socket, RawSocket):
            self._owners[id(socket)] = type(user).__name__

    def watch_clients(self, events: Any) -> None:
        """Tell every HTTP exchange, of our client and of others, and every packet of sockets."""
        record = users.HttpUser._record

        def record_and_tell(user: Any, response: Any, operation: str, elapsed_s: float) -> None:
            record(user, response, operation, elapsed_s)
            self._exchange(type(user).__name__, response, operation, elapsed_s * 1000, response.error)

        setattr(users.HttpUser, "_record", record_and_tell)  # noqa: B010 a method is replaced on purpose

        judge = once.OnceARun._judge

        def judge_and_tell(run: Any, response: Any, operation: str, elapsed_s: float) -> None:
            self._exchange("scenario", response, operation, elapsed_s * 1000, response.error)
            judge(run, response, operation, elapsed_s)

        setattr(once.OnceARun, "_judge", judge_and_tell)  # noqa: B010 a method is replaced on purpose

        def on_request(name: str, request_type: str, response_time: float | None, **more: Any) -> None:
            if not _is_ours(more.get("response")):
                exception = more.get("exception")
                operation = f"{request_type} {name}"
                self._exchange("", more.get("response"), operation, response_time, str(exception or ""))

        events.request.add_listener(on_request)
        self._watch_sockets()

    def _exchange(self, user: str, response: Any, operation: str, elapsed_ms: float | None, error: str) -> None:
        request = getattr(response, "request", None)
        self.tell(
            "http",
            user=user,
            operation=operation,
            url=str(getattr(request, "url", "") or getattr(response, "url", "")),
            sent_headers=dict(getattr(request, "headers", None) or {}),
            sent=_text(getattr(request, "body", b"")),
            status=getattr(response, "status_code", 0),
            headers=dict(getattr(response, "headers", None) or {}),
            body=_text(getattr(response, "content", b"") or b""),
            bytes=len(getattr(response, "content", b"") or b""),
            ms=elapsed_ms,
            parts=_parts(response),
            error=error,
        )

    def _watch_sockets(self) -> None:
        """Tell events, acknowledgements and what becomes of connections, in both directions."""
        send, handle, receive, lost = Namespace._send, Namespace.event, Namespace.receive, Namespace.lost

        def tell(namespace: Any, **more: Any) -> None:
            self.tell("socket", user=self._owners.get(id(namespace._link), ""), namespace=namespace.name, **more)

        def send_and_tell(namespace: Any, kind: int, number: int | None, data: Any) -> None:
            tell(namespace, sent=True, kind=_kind(kind, number), data=data, number=number)
            send(namespace, kind, number, data)

        def handle_and_tell(namespace: Any, name: str, arguments: Any) -> Any:
            handled = name in namespace._handlers
            tell(namespace, sent=False, kind="event", data=[name, *arguments], handled=handled)
            return handle(namespace, name, arguments)

        def receive_and_tell(namespace: Any, packet: Any) -> None:
            if packet.kind not in (packets.EVENT, packets.BINARY_EVENT):
                kind = _kind(packet.kind, packet.number)
                tell(namespace, sent=False, kind=kind, data=packet.data, number=packet.number)
            receive(namespace, packet)

        def lost_and_told(namespace: Any, error: Any) -> None:
            tell(namespace, sent=False, kind="lost", data=str(error))
            lost(namespace, error)

        watched = {"_send": send_and_tell, "event": handle_and_tell, "receive": receive_and_tell, "lost": lost_and_told}
        for name, method in watched.items():
            setattr(Namespace, name, method)
        self._watch_raw_sockets()

    def _watch_raw_sockets(self) -> None:
        """The same for WebSockets with a protocol of the server's own."""
        send, take, lost = RawSocket._send, RawSocket._take, RawSocket._lost

        def tell(raw: Any, **more: Any) -> None:
            self.tell("socket", user=self._owners.get(id(raw), ""), namespace="/", **more)

        def send_and_tell(raw: Any, payload: bytes, opcode: int) -> None:
            kind = "message" if opcode in (TEXT, BINARY) else "ping"
            tell(raw, sent=True, kind=kind, data=_text(payload), binary=opcode == BINARY)
            send(raw, payload, opcode)

        def take_and_tell(raw: Any, opcode: int, payload: bytes) -> None:
            tell(raw, sent=False, kind="message", data=_text(payload), binary=opcode == BINARY)
            take(raw, opcode, payload)

        def lost_and_told(raw: Any, error: Any) -> None:
            tell(raw, sent=False, kind="lost", data=str(error))
            lost(raw, error)

        for name, method in {"_send": send_and_tell, "_take": take_and_tell, "_lost": lost_and_told}.items():
            setattr(RawSocket, name, method)


def _parts(response: Any) -> dict[str, float]:
    """Where the milliseconds of an answered request of our own client went."""
    if not (_is_ours(response) and response.first_byte_s):
        return {}
    waited_s = response.elapsed_s - response.connect_s - response.tls_s - response.body_s
    parts = {"connect": response.connect_s, "TLS": response.tls_s, "first byte": waited_s, "body": response.body_s}
    return {name: seconds * 1000 for name, seconds in parts.items() if seconds}


def _is_ours(response: Any) -> bool:
    return type(response).__module__.startswith("dbz.")


def _kind(kind: int, number: int | None) -> str:
    if kind in (packets.ACK, packets.BINARY_ACK):
        return "ack"
    return _PACKETS.get(kind, "event with ack" if number is not None else "event")


def _text(body: Any) -> str:
    if isinstance(body, str):
        return body[:_LONGEST_BODY]
    if not isinstance(body, bytes | bytearray):
        return "" if body is None else f"({type(body).__name__})"
    try:
        return bytes(body).decode()[:_LONGEST_BODY]
    except UnicodeDecodeError:
        return f"({len(body)} bytes that are no text)"


class _Rehearsal:
    """Lets every user class of an environment do everything once."""

    def __init__(self, environment: Any, teller: _Teller, terms: Mapping[str, Any], arrivals: str) -> None:
        self._environment = environment
        self._arrivals = arrivals
        self._teller = teller
        self._task_s = float(terms["task_s"])
        self._timetable = Timetable(terms["times_s"])

    def run(self) -> None:
        """All classes side by side, since one may wait for what another sends; then all of them stop."""
        made = [
            user_class(self._environment)
            for user_class in self._environment.user_classes
            if user_class.weight or user_class.fixed_count
        ]
        first = next(recorded_arrivals(self._arrivals), None) if self._arrivals else None
        for user in made:
            self._teller.know(user)
            if first is not None:
                user.arrival = first[1]
        self._timetable.start()
        greenlets = [gevent.spawn(self._play, user) for user in made]
        gevent.joinall(greenlets)
        gevent.sleep(_LISTENING_S)
        for user in made:
            self._step(user, "on_stop", user.on_stop)

    def _play(self, user: Any) -> None:
        self._timetable.apply(user)
        if not self._step(user, "on_start", user.on_start):
            return
        for name, task in _tasks(user, user):
            if not self._step(user, name, task):
                return

    def _step(self, user: Any, name: str, act: Callable[[], Any]) -> bool:
        """Do one thing within its time, and tell what came of it; whether the user goes on."""
        self._teller.tell("step", user=type(user).__name__, task=name)
        began_s, task_s = time.monotonic(), self._task_s
        try:
            with gevent.Timeout(task_s, TimeoutError(f"not done within {task_s:g} s")):
                act()
        except _ENDS as end:
            return not isinstance(end, StopUser)
        except BaseException as error:
            self._teller.tell("raised", user=type(user).__name__, task=name, error=_described(error), line=_line(error))
            return name != "on_start"
        finally:
            self._teller.tell("done", user=type(user).__name__, task=name, ms=(time.monotonic() - began_s) * 1000)
        return True


def _tasks(user: Any, parent: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Every task of a user or a task set once, those of nested sets with their `on_start` and `on_stop` around them."""
    listed = parent.tasks.items() if isinstance(parent.tasks, dict) else [(task, 1) for task in parent.tasks]
    for task in dict.fromkeys(task for task, _ in listed):
        if not (isinstance(task, type) and issubclass(task, TaskSet)):
            yield task.__name__, partial(task, parent)
            continue
        inner = task(parent)
        yield f"{task.__name__}.on_start", inner.on_start
        for name, act in _tasks(user, inner):
            yield f"{task.__name__}.{name}", act
        yield f"{task.__name__}.on_stop", inner.on_stop


def _described(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _line(error: BaseException) -> str:
    """File and line of the scenario where an error came from; empty where none of its lines had a part in it."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_of_users(Path(frame.filename))]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def _is_of_users(path: Path) -> bool:
    """Whether code is neither ours nor that of an installed package."""
    return path.is_file() and "site-packages" not in path.parts and not path.is_relative_to(Path(dbz.__file__).parent)


def rehearse(spec: GeneratorSpec, terms: Mapping[str, Any], file: TextIO) -> None:
    """Rehearse the scenario of a spec by the terms of `dbz.load.rehearsal`; `UsageError` when it is wrong."""
    session = Session(spec, _NoRecord())
    environment = GeneratorProcess(spec).environment_of(session.errors)
    environment.dbz_session = session
    settle_feeders(spec.worker, spec.workers, spec.users, spec.seed)
    session.watch_requests(environment)
    runner = environment.create_local_runner()
    teller = _Teller(file)
    teller.watch_clients(environment.events)
    gevent.spawn(waiting.sweep_deadlines)
    environment.events.init.fire(environment=environment, runner=runner, web_ui=None)
    preparation = once.Preparation(spec, teller, Event())
    if preparation.prepare():
        session.shared.put(preparation.shared or b"null")
        environment.events.test_start.fire(environment=environment)
        _Rehearsal(environment, teller, terms, spec.arrivals).run()
        environment.events.test_stop.fire(environment=environment)
    preparation.clean_up()


def main() -> int:
    """Rehearse; what the user must know of a failure is the last line, told as an error."""
    logging.basicConfig(level=logging.WARNING)
    question = json.loads(os.environ.pop(ENVIRONMENT_KEY))
    with Path(question["answer"]).open("w", encoding="utf-8") as file:
        try:
            rehearse(GeneratorSpec.from_json(question["spec"]), question["terms"], file)
        except DbzError as error:
            file.write(
                json.dumps({"what": "refused", "error": error.message, "hint": error.hint, "code": error.code}) + "\n"
            )
            file.flush()
            return int(error.exit_code)
    return int(ExitCode.OK)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # users that do not end must not keep a finished process alive
