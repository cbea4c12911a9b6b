"""Requests that ask for nothing special are sent, answered and recorded as they would be one by one."""

import json
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import gevent
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbz.config.load.profile import SERVICE_HEADER
from dbz.load.generator.http import HttpClient, split_url
from dbz.load.generator.http.request.plain import plain_request
from dbz.load.generator.record.answers import AnswerCosts
from dbz.load.generator.record.services import AnsweringServices
from dbz.load.generator.record.tally import RequestTallies
from dbz.measure.latency.series import HTTP
from tests.load.http_answers import answers
from tests.load.http_clients import client_of, deadline_sweep  # noqa: F401 a fixture
from tests.load.raw_server import RawServer, read_request, response, serving
from tests.load.recorders import recorder_in
from tests.whole import WHOLE

pytestmark = pytest.mark.usefixtures("deadline_sweep")

ANSWERS = 300 if WHOLE else 100
PATIENCE_S = 20.0
PATIENCES_S = (0.4, 4.0)
"""Of clients that some answers never satisfy: on a busy machine an answer may take longer than the first of them."""
ENDS = {"cut off in its head", "cut off in its body", "ends with the connection", "more than its body"}
"""After answers like these a server closes."""
NOTHING_SPECIAL = {"allow_redirects": True}
"""What makes the client look at each part of a request, and changes nothing."""


class Visit:
    """A client, and what is recorded of its requests: as a user does it, in memory."""

    def __init__(self, url: str, recorder) -> None:
        self.recorder = recorder
        self.answers = AnswerCosts()
        self.services = AnsweringServices(SERVICE_HEADER)
        self.tallies = RequestTallies(self.services)
        self.by_service: Counter[str] = Counter()
        self.client = HttpClient(url, self._record, count=self.tallies.count, timeout_s=PATIENCE_S)

    def _record(self, answer, operation: str, elapsed_s: float) -> None:
        self.by_service[self.services.of_head(answer.head, operation, failed=bool(answer.error))] += 1
        if answer.first_byte_s:
            self.answers.add(operation, answer)
        if answer.error:
            self.recorder.failure(HTTP, operation, elapsed_s, answer.error)
        else:
            self.recorder.success(HTTP, operation, elapsed_s)
            self.recorder.objections.look_at(answer, operation)

    def facts(self):
        """How many of which outcome, the sizes of answers, and what they said against themselves."""
        self.tallies.pour(self.recorder, self.answers)
        ok, failed, errors = self.recorder.take()
        said = self.recorder.objections.take(str)
        said["objections"].sort()
        sums = {name: (row[0], row[3], row[4]) for name, row in self.answers.take().items()}
        numbers = [{name: sum(of.values()) for (_, name), of in part.items()} for part in (ok, failed)]
        return numbers, errors, sums, said


@contextmanager
def visiting(url: str, folder: Path):
    with recorder_in(folder) as recorder:
        visit = Visit(url, recorder)
        yield visit
        visit.client.close()


class Script:
    """Gives one answer after another over whichever connections it is asked, and closes after some of them."""

    def __init__(self, steps: list[bytes], closes_after: tuple[int, ...] = ()) -> None:
        self.steps, self.closes_after, self.next = steps, closes_after, 0

    def talk(self, connection) -> None:
        while read_request(connection) and self.next < len(self.steps):
            number, self.next = self.next, self.next + 1
            connection.sendall(self.steps[number])
            if number in self.closes_after:
                return


def by_way(folder: Path, script: Script, patience_s: float = PATIENCE_S, **options):
    """What is recorded of a visit that asks until the script has ended, and how many requests were known."""
    with serving(script.talk) as server, visiting(server.url, folder) as visit:
        visit.client.timeout_s = patience_s
        asked = 0
        while script.next < len(script.steps):
            visit.client.get("/a", **options)
            asked += 1
        return visit.facts(), asked - visit.by_service.total()


def test_of_odd_answers_the_same_is_recorded_whether_they_are_known_or_not(tmp_path):
    """Each comes twice among plain ones; what is special about it must not be lost when it comes again."""
    wrong, known = [], 0
    for case in (case for case in answers(7, ANSWERS) if case.method == "GET"):
        steps = [GOOD, GOOD, GOOD, case.raw, case.raw, GOOD, GOOD]
        closes_after = (3, 4) if case.traits & ENDS else ()
        for patience_s in PATIENCES_S:
            expected, _ = by_way(tmp_path, Script(steps, closes_after), patience_s, **NOTHING_SPECIAL)
            found, by_itself = by_way(tmp_path, Script(steps, closes_after), patience_s)
            if found == expected:
                break
        known += by_itself
        if found != expected:
            wrong.append((sorted(case.traits), case.raw[:200], expected, found))
    assert not wrong
    assert known > ANSWERS, "if none was known this proves nothing"


GOOD = response(b"as ever " * 100, "Content-Type: text/plain")
ANSWER = response(b'{"posts": []}', "Content-Type: application/json")
OBJECTION = response(b'{"error": "database is locked"}', "Content-Type: application/json")


def repeating(raw: bytes):
    def talk(connection) -> None:
        while read_request(connection):
            connection.sendall(raw)

    return talk


def test_a_known_answer_is_counted_with_all_that_it_says(tmp_path):
    with serving(repeating(OBJECTION)) as server, visiting(server.url, tmp_path) as visit:
        texts = {visit.client.get("/a").text for _ in range(50)}
        numbers, errors, sums, said = visit.facts()
    assert texts == {'{"error": "database is locked"}'}
    assert (numbers, errors) == ([{"GET /a": 50}, {}], Counter())
    assert sums == {"GET /a": (50, 50 * 31, 1)}
    assert said["objections"] == [["http", "GET /a", "error: database is locked", 50]]


def test_a_known_answer_may_be_judged(tmp_path):
    with serving(repeating(ANSWER)) as server, visiting(server.url, tmp_path) as visit:
        for number in range(6):
            with visit.client.get("/a", catch_response=True) as answer:
                if number % 2:
                    answer.failure("not what I wanted")
        numbers, errors, *_ = visit.facts()
    assert numbers == [{"GET /a": 3}, {"GET /a": 3}]
    assert sum(errors.values()) == 3


def test_a_known_answer_that_names_its_service_is_recorded_as_its(tmp_path):
    answer = response(b"hello", f"{SERVICE_HEADER}: game")
    with serving(repeating(answer)) as server, visiting(server.url, tmp_path) as visit:
        for _ in range(5):
            visit.client.get("/a")
        assert visit.by_service == {"game": 5}


def test_an_answer_is_known_only_while_it_stays_the_same(tmp_path):
    """One byte makes another answer, and so does a byte more."""
    bodies = [b"aaaa", b"aaaa", b"aaab", b"aaaa", b"aaaa", b"aaaaa", b"aaaa", b"", b"aaaa"]
    script = Script([response(body) for body in bodies])
    with serving(script.talk) as server, visiting(server.url, tmp_path) as visit:
        assert [visit.client.get("/a").content for _ in bodies] == bodies
        assert visit.facts()[0] == [{"GET /a": len(bodies)}, {}]


def test_users_who_ask_at_the_same_time_know_the_answer_alike(tmp_path):
    """All learn it before any of them has known it; from then on nobody looks at it."""
    users, turns = 20, 30
    with serving(repeating(GOOD)) as server, recorder_in(tmp_path) as recorder:
        visits = [Visit(server.url, recorder) for _ in range(users)]
        gevent.joinall([gevent.spawn(lambda visit=v: [visit.client.get("/a") for _ in range(turns)]) for v in visits])
        for visit in visits:
            visit.client.close()
        looked_at = sum(visit.by_service.total() for visit in visits)
    assert looked_at <= 3 * users


class Echo(RawServer):
    """Answers with what it was asked, as JSON: the request line, and the header fields in any order."""

    def __init__(self) -> None:
        super().__init__(self._echo)

    @staticmethod
    def _echo(connection) -> None:
        while request := read_request(connection):
            line, *fields = request.decode("latin-1").partition("\r\n\r\n")[0].split("\r\n")
            connection.sendall(response(json.dumps([line, sorted(fields)]).encode()))


@pytest.fixture(scope="module")
def echo():
    server = Echo()
    yield server
    server.close()


names = st.sampled_from(["X-Club", "x-club", "Cookie", "Authorization", "Host", "Accept", "User-Agent"])
values = st.text("ab=; ", min_size=1, max_size=6).map(str.strip)
paths = st.sampled_from(["/", "/a", "/a?b=c", "/a/b", "a", "", "/ä", "/a b", "/a/../b", "/a#b", "?x=1"])
changes = st.one_of(
    st.tuples(st.just("field"), names, values),
    st.tuples(st.just("no field"), names),
    st.tuples(st.just("cookie"), st.sampled_from(["sid", "lang"]), values, st.sampled_from(["/", "/a"])),
    st.tuples(st.just("fields"), st.dictionaries(names, values, max_size=2)),
    st.tuples(st.just("no cookies")),
    st.tuples(st.just("base"), st.sampled_from(["", "/v1", "/v1/x"])),
    st.tuples(st.just("all requests"), st.sampled_from([None, {"q": "1"}])),
    st.tuples(st.just("get"), paths),
)


def change(client, url: str, what: str, *how) -> None:
    """Do one thing to a client as scenarios do."""
    if what == "field":
        client.headers[how[0]] = how[1]
    elif what == "no field":
        client.headers.pop(how[0], None)
    elif what == "fields":
        client.headers = how[0]
    elif what == "cookie":
        client.cookies.set(how[0], how[1], path=how[2])
    elif what == "no cookies":
        client.cookies.clear()
    elif what == "base":
        client.base_url = url + how[0]
    elif what == "all requests":
        client.params = how[0]
    else:
        client.get(how[0])


@settings(
    max_examples=400 if WHOLE else 120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(changes, max_size=12), paths)
def test_what_is_sent_is_what_was_last_asked_for(echo, steps, path):
    """After whatever was changed a plain request is the same as one whose every part was looked at."""
    client, _ = client_of(echo.url)
    try:
        for what, *how in steps:
            change(client, echo.url, what, *how)
            plain, looked_at = client.get(path), client.get(path, **NOTHING_SPECIAL)
            assert plain.json() == looked_at.json()
            assert (plain.url, plain.operation) == (looked_at.url, looked_at.operation)
    finally:
        client.close()


def test_a_cookie_goes_when_its_time_is_over(echo):
    client, _ = client_of(echo.url)
    origin, _ = split_url(echo.url)
    client.cookies.store(origin, "/", [(b"Set-Cookie", b"sid=1; Path=/; Max-Age=1")])
    assert all("Cookie: sid=1" in client.get("/").json()[1] for _ in range(3))
    time.sleep(1.1)
    assert not any(field.startswith("Cookie") for field in client.get("/").json()[1])
    client.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "HEAD"])
def test_requests_with_a_body_and_those_without_an_answer_are_not_plain(method: str):
    assert plain_request(method, "/a", None, "", " HTTP/1.1\r\n", "Host: a\r\n", "", True) is None
