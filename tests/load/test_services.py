"""Which service answered: by any header, also for what got no answer, and never without bound."""

from __future__ import annotations

import pytest

from dbz.load.generator.http.answer.head import NO_HEAD, parse_head
from dbz.load.generator.record.services import AnsweringServices
from dbz.measure.latency.tags import MOST_SERVICES, OTHER_SERVICES


def head(*fields: str):
    return parse_head("\r\n".join(["HTTP/1.1 200 OK", *fields, "", ""]).encode())


@pytest.mark.parametrize(
    ("field", "line", "service"),
    [
        ("x-service", "X-Service: game", "game"),
        ("X-Backend", "x-backend:  Chat and more ", "Chat and more"),
        ("server-timing", "Server-Timing: game;dur=12.5, db;dur=3", "game"),
        ("x-envoy-decorator-operation", "x-envoy-decorator-operation: a.b.svc:80/*", "a.b.svc:80/*"),
        ("x-service", "x-service: " + "a" * 300, "a" * 100),
        ("x-service", "x-services: game", ""),
        ("", "x-service: game", ""),
    ],
)
def test_the_named_header_says_who_answered(field: str, line: str, service: str):
    services, answer = AnsweringServices(field), head("Date: now", line, "Content-Length: 0")
    for _ in range(2):  # the reader gives the same head again
        assert services.of_head(answer, "GET /", failed=False) == service
    assert AnsweringServices("date").of_head(answer, "GET /", failed=False) == "now"


def test_what_failed_without_a_name_is_of_the_service_that_answered_last():
    services = AnsweringServices("x-service")
    assert services.of_head(NO_HEAD, "GET /a", failed=True) == ""
    services.of_head(head("x-service: game"), "GET /a", failed=False)
    services.of_fields({"x-service": "chat"}, "GET /b", failed=False)
    assert services.of_head(NO_HEAD, "GET /a", failed=True) == "game"
    assert services.of_fields({}, "GET /b", failed=True) == "chat"
    assert services.of_head(head("Via: 1.1 cdn"), "GET /a", failed=False) == "", "answered, but not by a service"


def test_ids_in_the_header_are_not_kept_apart_for_ever():
    services = AnsweringServices("x-service")
    names = {services.of_head(head(f"x-service: {number}"), "GET /", failed=False) for number in range(1000)}
    assert len(names) == MOST_SERVICES + 1
    assert OTHER_SERVICES in names
    assert services.of_head(head("x-service: 0"), "GET /", failed=False) == "0"
