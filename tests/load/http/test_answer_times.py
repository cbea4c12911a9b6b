"""Where the time of a request goes: connecting, TLS, the first byte, the body; and how large answers are."""

import gzip
import socket
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.load.generator.record.answers import AnswerCosts
from dbz.measure.latency.attempts import Latency
from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.series import HTTP, Series
from dbz.runs import aggregate
from dbz.runs.fold import Fold
from dbz.runs.schema import Window
from dbz.runs.storage.sound_lines import WORKER, is_sound
from tests.load.http.test_http_client_tls import authority, bundle, context_with  # noqa: F401 fixtures
from tests.load.http_clients import client_of, deadline_sweep  # noqa: F401 a fixture
from tests.load.raw_server import always, read_request, response, routed, serving

ANY = Latency(Histogram(), Histogram())
ANY.ok.record(1000)

pytestmark = pytest.mark.usefixtures("deadline_sweep")


def first_byte_s(answer) -> float:
    return answer.elapsed_s - answer.connect_s - answer.tls_s - answer.body_s


def test_waiting_for_the_first_byte_and_for_the_body_are_told_apart():
    def talk(connection: socket.socket) -> None:
        read_request(connection)
        time.sleep(0.15)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
        time.sleep(0.6)
        connection.sendall(b"def")

    with serving(talk) as server:
        answer = client_of(server.url)[0].get("/")
    assert answer.text == "abcdef"
    assert first_byte_s(answer) >= 0.15, "what the server did is in the part that it did it in"
    assert answer.body_s >= 0.3, "all of it, but for what a client that was kept waiting itself saw late of the head"
    assert answer.elapsed_s >= answer.connect_s + 0.75 and answer.connect_s > 0 == answer.tls_s
    assert (answer.connections, answer.received_bytes) == (1, 6)


def test_a_kept_connection_costs_no_connecting_and_tls_counts_once(authority, bundle):  # noqa: F811 fixtures
    context = context_with(authority.issue_cert("127.0.0.1"))
    with serving(always(response(b"one"), response(b"two")), tls=context) as server:
        client, _ = client_of(server.url)
        client.verify = bundle
        first, second = client.get("/"), client.get("/")
    assert (first.connections, second.connections) == (1, 0)
    assert first.connect_s > 0 and first.tls_s > 0 and second.connect_s == second.tls_s == 0
    assert 0 < first_byte_s(second) <= second.elapsed_s


def test_what_redirects_cost_is_in_the_whole_and_a_new_host_is_another_connection():
    with serving(routed({"/end": response(b"there")})) as other:
        moved = response(b"", f"Location: {other.url}/end", status="302 Found")
        with serving(routed({"/": moved})) as server:
            answer = client_of(server.url)[0].get("/")
    assert answer.text == "there" and answer.connections == 2
    assert first_byte_s(answer) > 0 and 0 <= answer.body_s < answer.elapsed_s


def test_a_broken_redirect_has_no_first_byte():
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
    with serving(routed({"/": response(b"", f"Location: {url}", status="302 Found")})) as server:
        answer = client_of(server.url)[0].get("/")
    assert "ConnectFailed" in answer.error and answer.first_byte_s == answer.body_s == 0


def test_sizes_are_those_of_bodies_as_they_were_sent():
    packed = gzip.compress(b"x" * 10_000)
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n"
    answers = (response(packed, "Content-Encoding: gzip"), chunked, response(b""), response(b"y" * 200_000))
    with serving(always(*answers)) as server:
        client, _ = client_of(server.url)
        sizes = [client.get("/").received_bytes for _ in answers]
    assert client.get("/").received_bytes == 0, "no answer, no bytes"
    assert sizes == [len(packed), 6, 0, 200_000]


SUMS = st.tuples(
    st.integers(1, 10_000), st.floats(0.001, 1e4), st.floats(0, 1), st.integers(0, 10**12),
    st.integers(0, 10_000), st.floats(0, 1), st.floats(0, 1),
)  # fmt: skip


@given(st.lists(SUMS, min_size=1, max_size=5))
def test_the_parts_of_several_seconds_and_workers_add_up_to_the_mean(rows):
    """Shares of the seconds are drawn, so that no part is larger than the whole."""
    fold = Fold(Window(start_s=0, end_s=100))
    lines = []
    for worker, (count, seconds, body, size, opened, connect, tls) in enumerate(rows):
        parts = [seconds * share / 3 for share in (body, connect, tls)]
        lines.append([count, seconds, parts[0], size, opened, *parts[1:]])
        line = {"t": 5.0, "users": 1, "answers": {"GET /": lines[-1]}}
        assert is_sound(line, WORKER)
        fold.add_line(f"worker-{worker}", line)
    fold.add_line("worker-0", {"t": 500.0, "users": 1, "answers": {"GET /": [9, 9, 9, 9, 9, 9, 9]}})
    found = fold.measurements()
    found.latencies[Series(HTTP, "GET /")] = ANY
    (operation,) = aggregate.operations(found)
    means = operation.answers
    assert means is not None and means.count == sum(line[0] for line in lines)
    assert means.mean_ms == pytest.approx(1000 * sum(line[1] for line in lines) / means.count, rel=1e-3, abs=1e-3)
    parts_ms = means.connect_ms + means.tls_ms + means.first_byte_ms + means.body_ms
    assert parts_ms == pytest.approx(means.mean_ms, abs=0.001)


@pytest.mark.parametrize("row", [None, [], [1] * 6, [1] * 8, ["1"] * 7, [True] * 7, {"a": 1}, [1e400] * 7])
def test_a_damaged_line_is_none(row):
    assert not is_sound({"t": 1.0, "users": 1, "answers": {"GET /": row}}, WORKER)


def test_a_line_of_no_answers_gives_no_means():
    fold = Fold(Window(start_s=0, end_s=10))
    fold.add_line("worker-0", {"t": 5.0, "users": 1, "answers": {"GET /": [0, 0, 0, 0, 0, 0, 0]}})
    found = fold.measurements()
    found.latencies[Series(HTTP, "GET /")] = ANY
    assert aggregate.operations(found)[0].answers is None


def test_what_was_taken_is_not_taken_twice():
    with serving(always(response(b"one"), response(b"two!"))) as server:
        client, _ = client_of(server.url)
        costs = AnswerCosts()
        for _ in range(2):
            costs.add("GET /", client.get("/"))
    ((count, seconds, body_s, size, opened, connect_s, tls_s),) = costs.take().values()
    assert (count, size, opened, tls_s) == (2, 7, 1, 0) and seconds > body_s + connect_s > 0
    assert costs.take() == {}
