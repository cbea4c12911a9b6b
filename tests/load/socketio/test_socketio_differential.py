"""The Socket.IO client judged by the reference client: both do the same on the same server and see the same."""

import base64
import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from dbz.children import Child, free_port, wait_until
from dbz.load.generator.net.faults import TransportError
from dbz.load.generator.socketio.client import SocketClient
from tests.load.socketio_servers import (
    NODE,
    NODE_FOLDER,
    listens,
    member_of,
    node_packages,
    serving,
    sweeping,
    until,
)

TRANSPORTS = [("websocket",), ("polling",), ("polling", "websocket")]
BINARY = {"$bytes": base64.b64encode(bytes(range(256))).decode()}
VALUES: list[Any] = [
    [],
    [None],
    [1, "zwei", None, True, {"vier": [5.5, -1, 1e300]}],
    [BINARY],
    ["a", {"deep": [BINARY, {"er": BINARY}]}, BINARY],
    ['ä€🏸 , [ ] \x1e " \\ 42[', {"_placeholder": "no"}],
    [[[]], {}, "", 0],
]
Log = dict[str, Any]


@pytest.fixture(autouse=True)
def deadline_sweep() -> Iterator[None]:
    """What a generator process has running."""
    with sweeping():
        yield


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "recovering"])
def url(request, tmp_path_factory) -> Iterator[str]:
    """A server of the reference implementation, also one that recovers connections, on a path of its own."""
    recovery = {"connectionStateRecovery": {"maxDisconnectionDuration": 60_000}} if request.param else {}
    with serving(NODE, tmp_path_factory.mktemp("node") / "log", path="/ws", **recovery) as (address, _):
        yield address


def packed(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, list | tuple):
        return [packed(item) for item in value]
    return {key: packed(item) for key, item in value.items()} if isinstance(value, dict) else value


def unpacked(value: Any) -> Any:
    if isinstance(value, list):
        return [unpacked(item) for item in value]
    if isinstance(value, dict):
        if "$bytes" in value:
            return base64.b64decode(value["$bytes"])
        return {key: unpacked(item) for key, item in value.items()}
    return value


def by_node(url: str, script: list[Log], listen: dict[str, int], version: int = 4, **options: Any) -> Log:
    """What the reference client sees."""
    node_packages()
    asked = {"script": script, "listen": listen, "version": version, "options": options}
    command = ["node", str(NODE_FOLDER / "client.mjs"), url, json.dumps(asked)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True, text=True)
    log: Log = json.loads(done.stdout)
    assert "failed" not in log, log
    return log


class Actor:
    """Does what a script says with dbz's client, and keeps the same log as the reference client."""

    def __init__(self, client: SocketClient, listen: dict[str, int]) -> None:
        self.client = client
        self.log: Log = {"events": [], "any": [], "acks": [], "connects": [], "errors": []}
        self._listen = listen
        self._namespaces: dict[str, Any] = {}

    def do(self, script: list[Log]) -> Log:
        for step in script:
            getattr(self, f"_{step['do']}")(self._namespace(step.get("in", "/")), step)
        return self.log

    def _namespace(self, name: str) -> Any:
        known = self._namespaces.get(name)
        if known is not None:
            return known
        space = self._namespaces[name] = self.client.namespace(name)
        space.on_connected = lambda: self.log["connects"].append([name, space.recovered])
        space.on_any(lambda event, *_: self.log["any"].append([name, event]))
        space.on("question", lambda asked: self.log["events"].append([name, "question", asked]))
        for event, count in self._listen.items():
            space.on(event, self._handler(name, event, count))
        try:
            space.connect({"token": "admin"}, attempts=1)
        except TransportError as error:
            self.log["errors"].append(str(error))
        return space

    def _handler(self, name: str, event: str, count: int) -> Any:
        def note(*given: Any) -> None:
            self.log["events"].append([name, event, *packed(given)])

        return (note, lambda: note(), lambda a: note(a), lambda a, b: note(a, b))[count + 1]

    def _emit(self, space: Any, step: Log) -> None:
        assert space.emit(step["event"], *unpacked(step.get("args", [])))

    def _volatile(self, space: Any, step: Log) -> None:
        space.emit_volatile(step["event"], *unpacked(step.get("args", [])))

    def _call(self, space: Any, step: Log) -> None:
        self.log["acks"].append([step["event"], *packed(space.call(step["event"], *unpacked(step.get("args", []))))])

    def _events(self, _space: Any, step: Log) -> None:
        until(lambda: len(self.log["events"]) >= step["count"], f"{step['count']} events")

    def _connects(self, _space: Any, step: Log) -> None:
        until(lambda: len(self.log["connects"]) >= step["count"], f"{step['count']} connects, {self.log}")

    def _errors(self, _space: Any, step: Log) -> None:
        assert len(self.log["errors"]) >= step["count"]


def both(url: str, tmp_path: Any, script: list[Log], listen: dict[str, int], transports: tuple[str, ...]) -> list[Log]:
    """The logs of dbz's client and of the reference client."""
    with member_of(url, tmp_path, transports=transports, path="/ws") as member:
        ours = Actor(member.client, listen).do(script)
        assert not [kind for kind, _ in member.errors() if kind == "task"], member.errors()
    return [ours, by_node(url, script, listen, transports=transports, path="/ws")]


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_events_and_acknowledgements_are_those_of_the_reference_client(url, tmp_path, transports):
    script: list[Log] = [{"do": "connects", "count": 1}]
    for number, values in enumerate(VALUES):
        script += [
            {"do": "emit", "event": "send_back", "args": values},
            {"do": "events", "count": number + 1},
            {"do": "call", "event": "echo", "args": values},
        ]
    script += [
        {"do": "call", "event": "many", "args": [3]},
        {"do": "emit", "in": "/admin", "event": "to_all", "args": ["admins"]},
        {"do": "events", "count": len(VALUES) + 2},
        {"do": "call", "in": "/admin", "event": "echo", "args": [BINARY]},
    ]
    listen = {"sent_back": -1, "many": 2, "for_all": 1}
    ours, theirs = both(url, tmp_path, script, listen, transports)
    for log in (ours, theirs):  # a server that recovers adds an offset, another one each time, for those who take it
        log["events"] = [without_offset(event) for event in log["events"]]
    assert ours == theirs


def test_volatile_events_are_sent_when_there_is_a_way_and_dropped_without_a_failure_when_not(url, tmp_path):
    script: list[Log] = [
        {"do": "connects", "count": 1},
        {"do": "volatile", "event": "volatile_back", "args": ["now"]},
        {"do": "events", "count": 1},
    ]
    ours, theirs = both(url, tmp_path, script, {"volatile_back": 1}, ("websocket",))
    assert ours["events"] == theirs["events"] == [["/", "volatile_back", "now"]]
    with member_of(url, tmp_path, path="/ws") as member:
        assert member.client.emit_volatile("volatile_back", "too early") is False
        assert member.failures() == {} and member.errors() == {}


def without_offset(event: list[Any]) -> list[Any]:
    return event if event[1] != "sent_back" or event[2:] in VALUES else event[:-1]


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
@pytest.mark.parametrize("takes", [0, 1, 2])
def test_handlers_get_as_many_arguments_as_they_take(url, tmp_path, transports, takes):
    script = [{"do": "call", "event": "many", "args": [count]} for count in (1, 2, 3)]
    ours, theirs = both(url, tmp_path, [*script, {"do": "events", "count": 3}], {"many": takes}, transports)
    if takes == 2:  # the offset of a server that recovers stands where the missing argument would
        ours["events"], theirs["events"] = ours["events"][1:], theirs["events"][1:]
    assert ours == theirs


@pytest.mark.parametrize("transports", TRANSPORTS[:2], ids="+".join)
def test_what_was_missed_comes_after_a_reconnect_to_a_server_that_recovers(request, url, tmp_path, transports):
    script: list[Log] = [
        {"do": "connects", "count": 1},
        {"do": "emit", "event": "send_back", "args": ["before"]},
        {"do": "events", "count": 1},
        {"do": "emit", "event": "later", "args": [80, "meanwhile"]},
        {"do": "emit", "event": "drop_me"},
        {"do": "connects", "count": 2},
        {"do": "call", "event": "stand"},
        {"do": "emit", "event": "later", "args": [0, "after"]},
    ]
    listen = {"sent_back": 1, "for_all": 1}
    probe, _ = both(url, tmp_path, script, listen, transports)
    recovered = probe["connects"][-1][1]
    assert recovered == request.node.callspec.params["url"]
    script.append({"do": "events", "count": 3 if recovered else 2})
    ours, theirs = both(url, tmp_path, script, listen, transports)
    assert ours["connects"] == theirs["connects"] == [["/", False], ["/", recovered]]
    assert ours["acks"] == theirs["acks"]
    assert ours["events"] == theirs["events"]
    said = [event[2] for event in ours["events"]]
    assert said == (["before", "meanwhile", "after"] if recovered else ["before", "after"])


@pytest.fixture(scope="module")
def old_url(tmp_path_factory) -> Iterator[str]:
    """A server of Socket.IO 2."""
    node_packages()
    port, log = free_port(), tmp_path_factory.mktemp("old") / "log"
    with Child("node", ["node", str(NODE_FOLDER / "server2.cjs"), str(port)], log=log, grace_s=0.3) as child:
        wait_until(lambda: listens(port), child, deadline_s=20, what="node")
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_a_server_of_version_2_is_refused_by_both_and_serves_its_own_client(old_url, tmp_path, transports):
    script: list[Log] = [{"do": "errors", "count": 1}]
    with member_of(old_url, tmp_path, transports=transports, connect_timeout_s=3.0) as member:
        ours = Actor(member.client, {}).do(script)
        assert ours["connects"] == [] and ours["errors"][0].startswith("OldServer: it speaks Socket.IO 2")
        assert member.failures() == {("connect", "socket"): 1} and member.successes() == {}
    theirs = by_node(old_url, script, {}, transports=transports, reconnection=False)
    assert theirs["connects"] == []
    assert theirs["errors"]
    echo = [{"do": "connects", "count": 1}, {"do": "call", "event": "echo", "args": ["old"]}]
    assert by_node(old_url, echo, {}, version=2, transports=transports)["acks"] == [["echo", "old"]]


def test_the_counts_of_many_members_are_those_of_the_reference_client(url, tmp_path):
    script: list[Log] = [{"do": "connects", "count": 1}]
    script += [{"do": "emit", "event": "send_back", "args": [number]} for number in range(100)]
    script += [{"do": "events", "count": 100}]
    ours, theirs = both(url, tmp_path, script, {"sent_back": 1}, ("polling", "websocket"))
    assert ours["events"] == theirs["events"]
    assert Counter(event for _, event in ours["any"])["sent_back"] == 100
