"""Balancing, retries, breakers and outliers, on a clock of the test; signatures; plans of processes."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.config.load.services import GATEWAY, MOST_INSTANCES, SERVICES, instances_of
from dbz.errors import UsageError
from dbz.server.edge.headers import backward, next_trace_parent, onward
from dbz.server.http.errors import ApiError
from dbz.server.mesh.budget import RetryBudget
from dbz.server.mesh.signing import CALLER, IDENTITY, Signer
from dbz.server.mesh.upstream import Upstream
from dbz.server.observe.metrics import Figures
from dbz.server.settings import Mesh
from dbz.server.values.identity import Identity

MEMBER = Identity("user0000", "club00", "member", "s1", time.time() + 86_400)


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def upstream_of(*urls: str, failures: int = 3, figures: Figures | None = None) -> tuple[Upstream, Clock, list[str]]:
    """A service with instances at `urls`, which the test may change."""
    clock, live = Clock(), list(urls)
    settings = Mesh(breaker_failures=failures, breaker_rest_s=1.0)
    return Upstream("game", settings, lambda: live, figures or Figures(), clock), clock, live


def test_the_least_busy_instance_is_chosen() -> None:
    upstream, _, live = upstream_of("http://a:1", "http://b:1")
    first = upstream.choose()
    assert first is not None
    first.outstanding = 2
    second = upstream.choose()
    assert second is not None and second is not first
    second.outstanding = 3
    assert upstream.choose() is first
    assert upstream.choose([first]) is second
    assert upstream.choose([first, second]) is None
    live.remove(second.url)
    assert list(upstream.instances) == [first]


def test_a_breaker_opens_tries_once_and_closes() -> None:
    """Open: nobody; half-open: one call; an answer closes it, a failure opens it again."""
    figures = Figures()
    upstream, clock, _ = upstream_of("http://a:1", figures=figures)
    for _ in range(3):
        instance = upstream.choose()
        assert instance is not None and instance.breaker.state == "closed"
        upstream.failed(instance)
    assert upstream.choose() is None and instance.breaker.state == "open"
    assert figures.breaker_opened.values == {("game", "a:1"): 1}
    clock.now_s += 1.0
    assert instance.breaker.state == "half-open"
    assert upstream.choose() is instance and upstream.choose() is None
    upstream.failed(instance)
    assert instance.breaker.state == "open"
    clock.now_s += 1.0
    assert upstream.choose() is instance
    upstream.answered(instance, 404)
    assert instance.breaker.state == "closed" and upstream.choose() is instance
    assert figures.breaker_opened.values == {("game", "a:1"): 1}, "a failed trial is no new opening"


def test_a_process_that_begins_is_not_judged_by_the_one_before() -> None:
    """Neither it nor its service; the other instances stay what they were."""
    upstream, _, _ = upstream_of("http://a:1", "http://b:1")
    first, second = upstream.instances
    for _ in range(3):
        upstream.failed(first)
        upstream.failed(second)
    assert (upstream.breaker.state, upstream.choose()) == ("open", None)
    upstream.begins(first.url)
    begun = upstream.choose()
    assert begun is not None and begun is not first and begun.url == first.url
    assert upstream.breaker.state == "closed" and second.breaker.state == "open"


def test_statuses_open_no_breaker() -> None:
    """A service that says 503 is there, and still serves what it has in its cache."""
    upstream, _, _ = upstream_of("http://a:1")
    for _ in range(50):
        instance = upstream.choose()
        assert instance is not None
        upstream.answered(instance, 503)
    assert upstream.breaker.state == "closed"


def test_an_outlier_is_sent_away_for_a_while() -> None:
    upstream, clock, _ = upstream_of("http://a:1", "http://b:1", "http://c:1")
    bad, good, other = upstream.instances
    for _ in range(10):
        upstream.answered(good, 200)
        upstream.answered(other, 200)
        upstream.answered(bad, 500)
    assert bad.ejected and upstream.choose() is not bad
    clock.now_s += 5.1
    assert not bad.ejected and upstream.choose() is bad
    for _ in range(10):
        upstream.answered(bad, 500)
    clock.now_s += 5.1
    assert bad.ejected, "the second time it stays away for longer"


def test_nobody_is_sent_away_when_all_fail() -> None:
    """Then it is not the instances."""
    upstream, _, _ = upstream_of("http://a:1", "http://b:1")
    for _ in range(30):
        for instance in upstream.instances:
            upstream.answered(instance, 500)
    assert not any(instance.ejected for instance in upstream.instances)


@given(st.lists(st.sampled_from(("call", "retry", "second")), max_size=400), st.floats(0, 0.5))
def test_retries_never_multiply_the_load(steps: list[str], share: float) -> None:
    """At most the share of the calls, one a second, and the ten of the beginning."""
    clock = Clock()
    budget = RetryBudget(share, per_s=1.0, clock=clock)
    calls = retries = 0
    for step in steps:
        if step == "call":
            budget.called()
            calls += 1
        elif step == "second":
            clock.now_s += 1
        else:
            retries += budget.takes()
    assert retries <= 10 + share * calls + (clock.now_s - 100.0) + 1e-6


def test_a_signature_is_one_of_this_server_for_this_purpose_and_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    signer, other = Signer("a"), Signer("b")
    value = signer.identity(MEMBER).encode()
    assert signer.authenticate({IDENTITY: value}) == MEMBER
    assert signer.check_caller({CALLER: signer.caller("game").encode()}) == "game"
    payload, _, mac = value.partition(b".")
    for wrong in (b"", b".", payload, payload + b".", payload[:-4] + b"." + mac, other.identity(MEMBER).encode()):
        with pytest.raises(ApiError):
            signer.authenticate({IDENTITY: wrong})
    with pytest.raises(ApiError):
        signer.authenticate({IDENTITY: signer.caller("game").encode()})
    with pytest.raises(ApiError):
        signer.check_caller({CALLER: value})
    now_s = time.time()
    monkeypatch.setattr(time, "time", lambda: now_s + 31)
    with pytest.raises(ApiError, match="too old"):
        signer.authenticate({IDENTITY: value})


@given(st.binary(max_size=80))
def test_no_bytes_are_a_signature(value: bytes) -> None:
    with pytest.raises(ApiError):
        Signer("a").authenticate({IDENTITY: value})


def test_headers_of_one_hop_and_internal_ones_stay_here() -> None:
    fields = [
        (b"accept", b"*/*"),
        (b"connection", b"close, X-Mine"),
        (b"x-mine", b"1"),
        (b"x-dbz-identity", b"forged"),
        (b"te", b"trailers"),
        (b"authorization", b"Bearer x"),
        (b"x-forwarded-for", b"1.2.3.4"),
        (b"if-none-match", b'"a"'),
    ]
    assert onward(fields, dict(fields)) == [(b"accept", b"*/*"), (b"if-none-match", b'"a"')]
    answered = [(b"etag", b'"a"'), (b"transfer-encoding", b"chunked"), (b"x-dbz-caller", b"x"), (b"set-cookie", b"a=1")]
    assert backward(answered) == ([(b"etag", b'"a"'), (b"set-cookie", b"a=1")], None)
    of_one_hop = [(b"x-mine", b"1"), (b"connection", b"X-Mine"), (b"content-length", b"7")]
    assert backward(of_one_hop) == ([], 7)


@given(st.one_of(st.none(), st.binary(max_size=60)))
def test_a_trace_goes_on_or_begins(given_header: bytes | None) -> None:
    version, trace, span, flags = next_trace_parent(given_header).decode().split("-")
    assert (version, len(trace), len(span), len(flags)) == ("00", 32, 16, 2)


def test_a_valid_trace_keeps_its_id() -> None:
    """With a span of the gateway's own; ids of zeros are none (W3C Trace Context, section 3.2.2)."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    after = next_trace_parent(f"00-{trace}-00f067aa0ba902b7-00".encode()).decode()
    assert after.startswith(f"00-{trace}-") and after.endswith("-00") and "00f067aa0ba902b7" not in after
    assert "0" * 32 not in next_trace_parent(f"00-{'0' * 32}-00f067aa0ba902b7-01".encode()).decode()


def test_plans_of_processes() -> None:
    assert instances_of("chat=2", band=True)["band_sync"] == 1 and instances_of("band_sync=2", band=True)["chat"] == 1
    assert instances_of("apart", band=False) == dict.fromkeys((*SERVICES, GATEWAY), 1)
    assert instances_of("chat=2, gateway=3,game", band=False) == {
        **instances_of("apart", band=False),
        "chat": 2,
        "gateway": 3,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chta=2", "did you mean 'chat'"),
        ("chat,chat=2", "named twice"),
        ("chat=0", f"from 1 to {MOST_INSTANCES}"),
        ("chat=99", f"from 1 to {MOST_INSTANCES}"),
        ("chat=", f"from 1 to {MOST_INSTANCES}"),
        ("", "is no service"),
        ("chat,", "is no service"),
        ("chat,band_sync", "synchronises with Band, and there is none"),
    ],
)
def test_what_is_no_plan_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        instances_of(text, band=False)
