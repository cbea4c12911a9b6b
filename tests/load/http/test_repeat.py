"""Requests that a lane repeats on the event loop are recorded as the ordinary client would, whatever is answered."""

import gzip
import random
import socket
import time
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from types import SimpleNamespace

import gevent
import pytest

from dbz.config.load.profile import SERVICE_HEADER
from dbz.load.generator.http import HttpClient
from dbz.load.generator.http.client import UNFINISHED_ERROR
from dbz.load.generator.pace.arrivals import Arrivals
from dbz.load.generator.pace.lateness import Punctuality
from dbz.load.generator.record.answers import AnswerCosts
from dbz.load.generator.record.objections import Objections
from dbz.load.generator.record.services import AnsweringServices
from dbz.load.generator.record.tally import RequestTally
from dbz.load.generator.repeat.dispatch import Dispatch, PacedLane
from dbz.load.generator.repeat.lane import RUNNING, STOPPING, Lane
from dbz.load.planning.plan import LoadRequest, plan_load
from dbz.load.run import generator_spec
from tests.load.http_answers import Answer, answers
from tests.load.http_clients import deadline_sweep  # noqa: F401 a fixture
from tests.load.raw_server import read_request, response, serving
from tests.load.recorders import recorder_in
from tests.whole import WHOLE

pytestmark = pytest.mark.usefixtures("deadline_sweep")

GOOD = response(b"as ever " * 100, "Content-Type: text/plain")
PATIENCE_S = 20.0
PATIENCES_S = (0.5, 4.0)
"""Of clients that some answers never satisfy: on a busy machine an answer may take longer than the first of them."""
ANSWERS = 300 if WHOLE else 90
ENDS = {"cut off in its head", "cut off in its body", "ends with the connection", "more than its body"}
"""After answers like these a server closes; after others it may go on."""


class Script:
    """A server that gives one answer after another, over whichever connections it is asked, and then stops its user."""

    def __init__(self, steps: list[bytes], closes_after: int, pieces: bool) -> None:
        self.steps, self.closes_after, self.pieces = steps, closes_after, pieces
        self.user = SimpleNamespace(_state=RUNNING, client=None)
        self.requests: list[bytes] = []
        self.by_lane = 0

    def talk(self, connection) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # pieces must not wait for each other
        while request := read_request(connection):
            number = len(self.requests)
            self.requests.append(request)
            if number >= len(self.steps):
                return
            if number == len(self.steps) - 1:
                self.user._state = STOPPING
            self._send(connection, self.steps[number])
            if number == self.closes_after:
                return

    def _send(self, connection, raw: bytes) -> None:
        cuts = (
            sorted(random.Random(raw + b"%d" % len(self.requests)).choices(range(len(raw) + 1), k=2))
            if self.pieces
            else []
        )
        for start, end in pairwise([0, *cuts, len(raw)]):
            connection.sendall(raw[start:end])
            time.sleep(0.001 if self.pieces and end < len(raw) else 0)


def tally_of(operation: str) -> RequestTally:
    return RequestTally(operation, AnsweringServices(SERVICE_HEADER))


class Outcome:
    """What was recorded, and what the server saw."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.rows: Counter[str] = Counter()
        self.answers = AnswerCosts()
        self.objections = Objections()

    def record(self, answer, operation: str, elapsed_s: float) -> None:
        assert elapsed_s >= 0
        self.rows[answer.error] += 1
        if answer.first_byte_s:
            self.answers.add(operation, answer)
        if not answer.error:
            self.objections.look_at(answer, operation)

    def facts(self):
        (sums,) = self.answers.take().values()
        said = self.objections.take(str)
        said["objections"].sort()
        return self.rows, said, sums[0], sums[3], sums[4], [one.split(b"\r\n\r\n")[0] for one in self.script.requests]


def client_for(server, outcome: Outcome, patience_s: float = PATIENCE_S) -> HttpClient:
    client = outcome.script.user.client = HttpClient(server.url, outcome.record)
    client.headers = {"Accept-Encoding": "gzip", "Host": "a.test"}
    client.timeout_s = patience_s
    return client


def by_client(script: Script, method: str = "GET", patience_s: float = PATIENCE_S, **body):
    """Facts of a run of the ordinary client."""
    outcome = Outcome(script)
    with serving(script.talk) as server:
        client = client_for(server, outcome, patience_s)
        while script.user._state == RUNNING:
            client.request(method, "/", name="/", **body)
        client.close()
    return outcome.facts()


def by_lane(script: Script, tmp_path, method: str = "GET", patience_s: float = PATIENCE_S, **body):
    """Facts of a run in which a lane does what it can."""
    outcome, tally = Outcome(script), tally_of(f"{method} /")
    with serving(script.talk) as server, recorder_in(tmp_path) as recorder:
        client = client_for(server, outcome, patience_s)
        lane = Lane(script.user, tally)
        ask = partial(client.request, method, "/", name="/", **body)
        while script.user._state == RUNNING:
            lane.repeat(ask(), ask, **body)
        client.close()
        script.by_lane = sum(tally.successes.values())
        outcome.rows[""] += script.by_lane
        recorder.objections = outcome.objections
        tally.pour(recorder, outcome.answers)
    assert not tally.lanes
    return outcome.facts()


def cases(seed: int) -> list[Answer]:
    return [case for case in answers(seed, ANSWERS * 2) if case.method == "GET"][:ANSWERS]


@pytest.mark.parametrize("pieces", [False, True])
def test_a_line_records_of_odd_answers_what_the_ordinary_client_records(tmp_path, pieces):
    wrong, by_lane_itself = [], 0
    for number, case in enumerate(cases(5)):
        steps = [GOOD, GOOD, GOOD, case.raw, GOOD, GOOD, GOOD]
        closes_after = 3 if case.traits & ENDS or number % 2 else -1
        for patience_s in PATIENCES_S:
            expected = by_client(Script(steps, closes_after, pieces), patience_s=patience_s)
            script = Script(steps, closes_after, pieces)
            found = by_lane(script, tmp_path, patience_s=patience_s)
            if found == expected:
                break
        by_lane_itself += script.by_lane
        if found != expected:
            wrong.append((sorted(case.traits), case.raw[:200], expected, found))
    assert not wrong
    assert by_lane_itself > ANSWERS, "a lane that does nothing proves nothing"


@pytest.mark.parametrize("pieces", [False, True])
def test_a_lane_carries_answers_with_numbers_of_their_own_but_none_that_name_a_service(tmp_path, pieces):
    def steps(number: int) -> list[bytes]:
        numbered = response(b"x" * (number * 7 % 50), f"X-Request-Id: {number**3}")
        named = response(b"as ever", f"X-Service: game; n={number}")
        return [numbered, *([named] if number % 10 == 5 else [])]

    script = Script([step for number in range(60) for step in steps(number)], -1, pieces)
    assert by_lane(script, tmp_path) == by_client(Script(script.steps, -1, pieces))
    assert script.by_lane <= 60 and (pieces or script.by_lane >= 48), "two of ten are asked by the ordinary client"


def test_a_url_that_is_loaded_without_options_is_carried_by_lanes(tmp_path):
    for terms in ({}, {"rate": "100/s"}):
        plan = plan_load(LoadRequest("http://127.0.0.1:9/x", overrides=terms))
        assert generator_spec(plan, tmp_path, 0.0, datetime.now(UTC)).is_repeatable


SAYINGS = {
    response(b'{"ok": true, "n": 12345678}', "Content-Type: application/json"): "",
    response(b'{"error": "no db", "n": 12}', "Content-Type: application/json"): "error: no db",
    response(b'{"error": "no go", "n": 12}', "Content-Type: application/json"): "error: no go",
    response(
        gzip.compress(b'{"success": false, "message": "no"}'),
        "Content-Type: application/json; charset=utf-8",
        "Content-Encoding: gzip",
    ): "success: false: no",
    response(b"<title>502 Bad Gateway</title>", "Content-Type: text/html"): "an error page: 502 Bad Gateway",
    response(b"<title>Posts</title>", "Content-Type: text/html"): "",
    response(b"", "Content-Type: application/json"): "",
}
"""Answers of a good status, of which the first three are of one size, and what they say against themselves."""


@pytest.mark.parametrize("seed", range(4))
def test_a_lane_hears_what_answers_say_against_themselves_as_the_ordinary_client_does(tmp_path, seed):
    steps = random.Random(seed).choices(list(SAYINGS), k=60)
    script = Script(steps, -1, seed % 2 == 1)
    rows, said, *_ = found = by_lane(script, tmp_path)
    assert found == by_client(Script(steps, -1, seed % 2 == 1))
    assert rows == {"": 60} and (script.by_lane > 50 or script.pieces), "a head in pieces is for the ordinary client"
    counts = Counter(SAYINGS[step] for step in steps if SAYINGS[step])
    assert {text: count for _, _, text, count in said["objections"]} == counts


@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "404 Not Found", "503 Unavailable"])
def test_bodies_of_requests_are_sent_again_and_failures_counted(tmp_path, status):
    body = b"" if status.startswith("204") else b"some"
    steps = [GOOD, GOOD, GOOD, response(body, status=status), GOOD, GOOD]
    wanted = {"method": "POST", "data": b'{"a": 1}'}
    assert by_lane(Script(steps, -1, False), tmp_path, **wanted) == by_client(Script(steps, -1, False), **wanted)


def test_cookies_that_are_set_on_the_way_go_back_with_what_follows(tmp_path):
    steps = [GOOD, GOOD, response(b"", "Set-Cookie: a=b"), GOOD, response(b"", "Set-Cookie: a=c"), GOOD, GOOD, GOOD]
    script = Script(steps, -1, False)
    assert by_lane(script, tmp_path) == by_client(Script(steps, -1, False))
    assert [b"a=c" in request for request in script.requests] == [False] * 5 + [True] * 3
    assert script.by_lane >= 2, "what stays the same afterwards is for the lane again"


def test_answers_that_do_not_come_are_timeouts_for_both(tmp_path):
    steps = [GOOD, GOOD, GOOD, b"", GOOD, GOOD[:90], GOOD, GOOD]
    for patience_s in PATIENCES_S:
        found = by_lane(Script(steps, -1, False), tmp_path, patience_s=patience_s)
        expected = by_client(Script(steps, -1, False), patience_s=patience_s)
        if found == expected:
            break
    assert found == expected
    assert found[0] == {"": 6, "ReadTimeout": 2}


def test_a_user_that_is_killed_leaves_its_request_unfinished_and_no_connection_open(tmp_path):
    script = Script([GOOD, GOOD, GOOD, b"", GOOD], -1, False)
    outcome, tally = Outcome(script), tally_of("GET /")
    with serving(script.talk) as server:
        client = client_for(server, outcome)
        client.timeout_s = 20
        user = gevent.spawn(Lane(script.user, tally).repeat, client.get("/"), lambda: client.get("/"))
        while len(script.requests) < 4:
            gevent.sleep(0.01)
        assert [operation for operation, _ in tally.ages()] == ["GET /"], "it is seen while it is under way"
        user.kill()
        client.close()
        assert outcome.rows == {"": 1, UNFINISHED_ERROR: 1} and sum(tally.successes.values()) == 2
        assert not tally.ages() and not tally.lanes


def paced(script: Script, times_s: list[float], users: int):
    """Arrivals at these seconds, taken by so many users with a lane each; what was recorded, by kind."""
    outcome, tally, punctuality = Outcome(script), tally_of("GET /"), Punctuality()
    arrivals = Arrivals(iter(times_s))
    dispatch = Dispatch(arrivals, punctuality)

    def live() -> None:
        user = SimpleNamespace(_state=RUNNING)
        client = user.client = HttpClient(server.url, outcome.record)
        PacedLane(user, tally, dispatch).repeat(client.get("/"), lambda: client.get("/"))

    with serving(script.talk) as server:
        greenlets = [gevent.spawn(live) for _ in range(users)]
        with gevent.Timeout(60, False):
            while sum(tally.successes.values()) + outcome.rows.total() < users + len(times_s):
                gevent.sleep(0.01)
        gevent.sleep(0.2)  # for one that would be made twice
        gevent.killall(greenlets)
    return outcome, tally, punctuality.take()


def test_each_arrival_is_taken_once_also_when_the_server_closes_idle_connections():
    class Impatient(Script):
        def _send(self, connection, raw: bytes) -> None:
            connection.sendall(raw)
            self.closes_after = len(self.requests) - 1 if len(self.requests) % 3 == 0 else -1

    script = Impatient([GOOD] * 100, -1, False)
    times_s = [0.1 + 0.01 * number for number in range(40)]
    outcome, tally, counts = paced(script, times_s, 3)
    assert outcome.rows.keys() == {""}, "a connection that was closed while idle is no failure"
    by_lane_itself = sum(tally.successes.values())
    assert by_lane_itself + outcome.rows[""] == 40 + 3 == len(script.requests), "3 were made before the first arrival"
    assert counts["begun"] == 40 and by_lane_itself == sum(tally.service.values()) > 15


def test_what_waits_for_a_server_that_hangs_is_counted_from_its_intended_start():
    class Hanging(Script):
        def _send(self, connection, raw: bytes) -> None:
            time.sleep(0.3 if len(self.requests) == 2 else 0)
            connection.sendall(raw)

    _, tally, counts = paced(Hanging([GOOD] * 100, -1, False), [0.1, 0.15, 0.2, 0.6], 1)
    waits = sorted(value_us / 1e6 for value_us, times in tally.successes.items() for _ in range(times))
    assert len(waits) == 4 == counts["begun"] and counts["late"] >= 2
    assert waits[3] >= 0.3 and waits[2] >= 0.25 and waits[1] >= 0.2, "arrivals during the silence waited for its end"
    assert max(tally.service) >= 300_000 and sum(tally.service.values()) == 4
