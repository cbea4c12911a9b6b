"""The target is asked every second, whatever it answers; and the answer is there in time, and small."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from dbz.load.target.sampler import Sampler
from dbz.targets.probing import ask
from tests.children.processes import eventually

T = TypeVar("T")
Serve = Callable[[socket.socket, str, int], None]
"""Answers one request: its connection, its path, and how many for that path there were before."""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NONE = b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def server(serve: Serve) -> Iterator[str]:
    """The base URL of a server that answers as badly as `serve` wants."""
    listener = socket.create_server(("127.0.0.1", 0))
    counts: dict[str, int] = {}
    opened: list[socket.socket] = []

    def answer(connection: socket.socket) -> None:
        try:
            path = connection.recv(65536).split(b" ")[1].decode()
            number = counts.get(path, 0)
            counts[path] = number + 1
            serve(connection, path, number)
        except (OSError, IndexError):
            pass
        finally:
            connection.close()

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            opened.append(connection)
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()
        for connection in opened:
            connection.close()


def refusing_url(unheard: socket.socket) -> str:
    """The base URL of a port at which nobody listens while the socket is open."""
    unheard.bind(("127.0.0.1", 0))
    return f"http://127.0.0.1:{unheard.getsockname()[1]}"


def page(body: bytes, status: int = 200) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body


def endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    while True:
        connection.sendall(b"# a comment\n" * 5000)


def drip(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        connection.sendall(b"#")
        time.sleep(0.1)


def drip_head(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X: y\r\n")
        time.sleep(0.1)


BAD: dict[str, Callable[[socket.socket], None]] = {
    "endless": endless,
    "drip": drip,
    "drip head": drip_head,
    "silent": lambda _: time.sleep(30),
    "closed": lambda connection: connection.close(),
    "cut off": lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"),
    "no http": lambda connection: connection.sendall(b"\x16\x03\x01 hello\r\n\r\n"),
}


@pytest.mark.parametrize("how", BAD)
def test_whatever_a_server_sends_the_answer_is_there_in_time_and_small(how: str) -> None:
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with server(lambda connection, _path, _number: BAD[how](connection)) as url:
        began_s = time.monotonic()
        answer = asyncio.run(ask(url, "/metrics", most_bytes=1_000_000))
    assert time.monotonic() - began_s < 20, "and nobody would end it before 30 s"
    assert answer.status == 0 and answer.trouble and len(answer.body) == 0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 50_000


@pytest.mark.parametrize(
    "whole",
    [OK, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\nok"],
)
def test_a_whole_answer_is_read_however_its_end_is_marked(whole: bytes) -> None:
    with server(lambda connection, _path, _number: connection.sendall(whole)) as url:
        answer = asyncio.run(ask(f"{url}/base", "/healthz"))
    assert (answer.status, answer.body, answer.trouble) == (200, b"ok", "")


def test_nobody_at_the_port_is_an_answer_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert asyncio.run(ask(f"http://127.0.0.1:{port}", "/healthz")).status == 0


Lines = list[dict[str, Any]]


def sampled(serve: Serve, path: Path, enough: Callable[[Lines], bool]) -> tuple[Lines, float]:
    """The lines of a sampler that ran until they were enough, and how long starting it took."""
    with server(serve) as url:
        started_s = time.monotonic()
        with Sampler(url, path, started_s):
            took_s = time.monotonic() - started_s
            assert eventually(lambda: enough(lines_of(path))), lines_of(path)
    return lines_of(path), took_s


def lines_of(path: Path) -> Lines:
    """What was written until now."""
    written = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in written.splitlines(keepends=True) if line.endswith("\n")]


def probed(times: int) -> Callable[[Lines], bool]:
    """Whether the health probe was made so often."""
    return lambda lines: sum("health" in line for line in lines) >= times


def side_by_side(cases: Collection[T], check: Callable[[T, Path], None], folder: Path) -> None:
    """Check all cases at the same time, each in a file of its own: a sampler mostly waits for the next second."""
    with ThreadPoolExecutor(len(cases)) as pool:
        checked = [pool.submit(check, case, folder / f"server-{number}.jsonl") for number, case in enumerate(cases)]
    for case, outcome in zip(cases, checked, strict=True):
        if error := outcome.exception():
            error.add_note(f"of {case!r}")
            raise error


def ups(lines: Lines) -> list[bool]:
    """What the first probes found, without those of which nothing is known."""
    return [line["up"] for line in [line for line in lines if "health" in line][:3] if "up" in line]


def test_probes_go_on_beside_metrics_that_misbehave(tmp_path: Path) -> None:
    times: list[list[float]] = []

    def check(how: str, file: Path) -> None:
        def serve(connection: socket.socket, path: str, _number: int) -> None:
            BAD[how](connection) if path == "/metrics" else connection.sendall(OK)

        lines, took_s = sampled(serve, file, probed(3))
        assert took_s < 1, "the start waits for nobody: the first question is asked after a second"
        assert ups(lines) == [True] * 3
        probes_s = [line["t"] for line in lines if "up" in line]
        assert probes_s == sorted({int(at_s) + 0.05 for at_s in probes_s}), "one in a second, and all at the same time"
        times.append(probes_s[:3])
        assert all("metrics_trouble" in line for line in lines if "up" not in line)

    side_by_side(BAD, check, tmp_path)
    assert [1.05, 2.05, 3.05] in times, "in every second, where the machine has time for all of them"


def test_a_probe_that_is_not_answered_is_down_and_the_next_is_made(tmp_path: Path) -> None:
    def check(how: str, file: Path) -> None:
        def serve(connection: socket.socket, path: str, number: int) -> None:
            if path == "/metrics":
                connection.sendall(NONE)
            elif number == 1:
                BAD[how](connection)
            else:
                connection.sendall(OK)

        lines, _ = sampled(serve, file, probed(3))
        assert ups(lines) == [True, False, True]

    side_by_side(BAD, check, tmp_path)


STATUSES: list[tuple[list[int], list[bool]]] = [
    ([404, 404, 404], []),
    ([503, 503, 503], [False, False, False]),
    ([200, 404, 302], [True, False, True]),
    ([404, 401, 404], [True, False]),
]


def test_404_alone_means_that_there_is_no_health_probe(tmp_path: Path) -> None:
    def check(case: tuple[list[int], list[bool]], file: Path) -> None:
        statuses, up = case

        def serve(connection: socket.socket, path: str, number: int) -> None:
            connection.sendall(NONE if path == "/metrics" else page(b"", statuses[min(number, 2)]))

        lines, _ = sampled(serve, file, probed(3))
        assert ups(lines) == up
        assert [line["health"] for line in lines][:3] == statuses

    side_by_side(STATUSES, check, tmp_path)


def test_a_target_that_never_answered_its_health_path_has_none_until_it_is_gone(tmp_path: Path) -> None:
    """So it is with servers of sockets alone: other requests get no answer at all."""
    path = tmp_path / "server.jsonl"
    with server(lambda _connection, _path, _number: time.sleep(2)) as url, Sampler(url, path, time.monotonic()):
        assert eventually(lambda: "asked" in path.read_text())
    gone, named = tmp_path / "gone.jsonl", tmp_path / "named.jsonl"
    with (
        socket.socket() as nobody,
        Sampler(refusing_url(nobody), gone, time.monotonic()),
        server(lambda _connection, _path, _number: time.sleep(2)) as silent,
        Sampler(silent, named, time.monotonic(), health="/up"),
    ):
        assert eventually(lambda: "up" in gone.read_text() and "up" in named.read_text())
    assert all("up" not in line for line in lines_of(path) if "health" in line)
    assert all((line["up"], line["unreachable"]) == (False, True) for line in lines_of(gone) if "health" in line)
    assert all((line["up"], line["probe"]) == (False, "/up") for line in lines_of(named) if "health" in line)


FIGURES = (
    b"# TYPE dbz_process_cpu_seconds_total counter\n"
    b'dbz_process_cpu_seconds_total{pid="1"} %f\n'
    b"dbz_process_resident_memory_bytes 1000\ndbz_server_cores 2\n{, ={# nonsense of somebody else\n"
)


def test_metrics_are_read_whatever_else_stands_beside_them(tmp_path: Path) -> None:
    """Of two cores one is in use all the time, and in the first look nothing is known of it yet."""

    def serve(connection: socket.socket, path: str, _number: int) -> None:
        connection.sendall(page(FIGURES % time.monotonic()) if path == "/metrics" else NONE)

    def figures_of(lines: Lines) -> Lines:
        return [line for line in lines if "memory_bytes" in line]

    lines, _ = sampled(serve, tmp_path / "server.jsonl", lambda lines: len(figures_of(lines)) == 3)
    figures = figures_of(lines)
    assert all(line["cpu_share"] == pytest.approx(0.5, abs=0.1) for line in figures)


def test_a_page_without_figures_that_we_know_is_asked_for_once(tmp_path: Path) -> None:
    def check(body: bytes, file: Path) -> None:
        asked: list[str] = []

        def serve(connection: socket.socket, path: str, _number: int) -> None:
            asked.append(path)
            connection.sendall(page(body) if path == "/metrics" else NONE)

        sampled(serve, file, probed(3))
        assert asked.count("/metrics") == 1 and asked.count("/healthz") >= 3

    side_by_side([b"<html>hello</html>", b"http_requests_total 5\n", b""], check, tmp_path)


GONE_BAD = [
    page(b"busy", 503),
    page(b"dbz_process_resident_memory_bytes {, ={#\n"),
    page(b"dbz_query_duration_seconds_bucket 5\n"),
    page(b"gone"),
    page(b"dbz_process_resident_memory_bytes 1e999999\xff\n"),
]


def test_metrics_that_go_bad_are_noted_and_end_nothing(tmp_path: Path) -> None:
    def check(later: bytes, file: Path) -> None:
        def serve(connection: socket.socket, path: str, number: int) -> None:
            good = page(FIGURES % number)
            connection.sendall(OK if path != "/metrics" else good if number < 2 else later)

        def known(lines: Lines) -> int:
            return sum("metrics_trouble" in line or line.get("memory_bytes") is not None for line in lines)

        lines, _ = sampled(serve, file, lambda lines: probed(4)(lines) and known(lines) >= 3)
        assert all(line["up"] for line in lines if "health" in line)
        assert known(lines) == sum("health" not in line for line in lines), "whatever it was, there is a line of it"

    side_by_side(GONE_BAD, check, tmp_path)


def test_a_disk_that_is_full_for_a_while_costs_its_seconds_only(tmp_path: Path) -> None:
    with server(lambda connection, _path, _number: connection.sendall(OK)) as url:
        sampler = Sampler(url, tmp_path / "server.jsonl", time.monotonic())
        with sampler:
            assert eventually(lambda: len(lines_of(tmp_path / "server.jsonl")) == 1)
            really = sampler._file
            sampler._file = FullFile()  # type: ignore[assignment]
            assert eventually(lambda: sampler.unwritten >= 1)
            sampler._file = really
            assert eventually(lambda: len(lines_of(tmp_path / "server.jsonl")) == 2)
    before, after = lines_of(tmp_path / "server.jsonl")
    assert round(after["t"] - before["t"]) > sampler.unwritten


class FullFile:
    """What a line file is like while its disk is full."""

    def write(self, _line: object) -> None:
        """Fails."""
        raise OSError(28, "No space left on device")


def test_a_host_that_speaks_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "server.jsonl"
    with (
        server(lambda connection, _path, _number: connection.sendall(OK)) as url,
        Sampler(url.replace("http://", "tcp://"), path, time.monotonic()),
    ):
        time.sleep(1.5)
    assert (tmp_path / "server.jsonl").read_text() == ""
