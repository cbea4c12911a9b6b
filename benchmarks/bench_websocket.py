"""What raw WebSockets and feeders cost beside the HTTP client: CPU of the generator for each exchange, on one core.

Closed loop, 32 users in one process on a core of its own: GET of 2 KB; the same with a row of a feeder each time;
a message of 64 bytes over a raw WebSocket and its answer, found by its content. Every one is recorded as in a load. CPU
is what is compared, so that a slow server does not flatter anybody; a rate is that of a core that does nothing else.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import os  # noqa: E402
import statistics  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from contextlib import contextmanager  # noqa: E402
from pathlib import Path  # noqa: E402

import gevent  # noqa: E402
from http_server import pinned, serving  # noqa: E402

from dbz.children import Child, free_port, wait_until  # noqa: E402
from dbz.load.generator import wire  # noqa: E402
from dbz.load.generator.data.feeders import Feeder  # noqa: E402
from dbz.load.generator.http import HttpClient  # noqa: E402
from dbz.load.generator.record.recorder import Recorder  # noqa: E402
from dbz.load.generator.record.sinks import FileSink  # noqa: E402
from dbz.load.generator.websocket.raw import RawSocket, WebSocketOptions  # noqa: E402
from dbz.measure.latency.series import HTTP  # noqa: E402

USERS = 32
SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
ROOT = Path(__file__).parent.parent
GOAL = 0.95
"""The share of the HTTP client's rate that is to be kept."""

Exchange = Callable[[], None]


def main() -> None:
    """Measure in turns, and print the medians."""
    gevent.spawn(wire.sweep_deadlines)
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {cores[0]})
    with tempfile.TemporaryDirectory() as name, serving(cores[-1]) as (url, server, _), echo_server(cores[-1]) as echo:
        folder = Path(name)
        recorder = Recorder(FileSink(folder, 0, time.time()), time.monotonic())
        kinds = {
            "HTTP": [http_user(url, recorder) for _ in range(USERS)],
            "HTTP, feeder": [fed_user(url, recorder, feeder(folder)) for _ in range(USERS)],
            "WebSocket": [socket_user(echo, recorder, number) for number in range(USERS)],
        }
        found: dict[str, list[float]] = {kind: [] for kind in kinds}
        for _ in range(ROUNDS):
            for kind, users in kinds.items():
                found[kind].append(cpu_us(users))
                recorder.write({})
    print(
        f"{USERS} users on one core, {ROUNDS} rounds of {SECONDS:g} s; HTTP from {server}, medians of CPU an exchange"
    )
    print(f"{'':14}{'CPU us':>9}{'a core':>12}{'of HTTP':>10}")
    for kind, rounds in found.items():
        ratio = statistics.median(http / own for http, own in zip(found["HTTP"], rounds, strict=True))
        cost = statistics.median(rounds)
        verdict = "" if kind == "HTTP" else "  kept" if ratio >= GOAL else f"  below {GOAL:.0%}"
        print(f"{kind:14}{cost:>9.1f}{1e6 / cost:>10,.0f}/s{ratio:>10.2f}{verdict}")


@contextmanager
def echo_server(core: int) -> Iterator[str]:
    """A WebSocket server in Python that sends back what it gets; its base URL."""
    port = free_port()
    command = [*pinned(core), sys.executable, "-m", "tests.load.websocket_server", str(port)]
    with tempfile.TemporaryDirectory() as folder:
        environment = {"PYTHONPATH": str(ROOT)}
        with Child("echo", command, log=Path(folder) / "log", env=environment) as child:
            wait_until(lambda: listens(port), child, deadline_s=20, what="the echo server")
            yield f"http://127.0.0.1:{port}"


def listens(port: int) -> bool:
    """Whether somebody accepts connections there."""
    try:
        gevent.socket.create_connection(("127.0.0.1", port), 0.5).close()
    except OSError:
        return False
    return True


def feeder(folder: Path) -> Feeder:
    """A thousand rows."""
    path = folder / "rows.csv"
    path.write_text("path,word\n" + "".join(f"/,w{number}\n" for number in range(1000)))
    rows = Feeder(path, "shuffled", "repeat")
    rows.settle(0, 1, USERS, 1)
    return rows


def http_user(url: str, recorder: Recorder) -> Exchange:
    """A user who gets a page again and again."""
    client = HttpClient(url, lambda _, operation, elapsed_s: recorder.success(HTTP, operation, elapsed_s))
    return lambda: client.get("/", name="/") and None


def fed_user(url: str, recorder: Recorder, rows: Feeder) -> Exchange:
    """The same with a row each time."""
    client = HttpClient(url, lambda _, operation, elapsed_s: recorder.success(HTTP, operation, elapsed_s))
    return lambda: client.get(rows.take()["path"], name="/") and None


def socket_user(url: str, recorder: Recorder, number: int) -> Exchange:
    """A user who sends a message and waits for its answer again and again."""
    socket = RawSocket(url, recorder, WebSocketOptions(compression=False))  # as there is none in the HTTP answers
    socket.connect()
    text = json.dumps({"is": "echo", "from": number, "text": "x" * 24})
    return lambda: socket.request(text, lambda message: message.get("from") == number, name="echo") and None


def cpu_us(users: list[Exchange]) -> float:
    """CPU of this process for one exchange, in microseconds, while all users make them."""
    until_s, counts = time.monotonic() + SECONDS, [0] * len(users)

    def repeat(place: int, exchange: Exchange) -> None:
        while time.monotonic() < until_s:
            exchange()
            counts[place] += 1

    before_s = time.process_time()
    gevent.joinall(
        [gevent.spawn(repeat, place, exchange) for place, exchange in enumerate(users)], timeout=SECONDS + 30
    )
    return (time.process_time() - before_s) / max(sum(counts), 1) * 1e6


if __name__ == "__main__":
    main()
