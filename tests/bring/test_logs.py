"""Access logs of other servers, each line as its server writes it, and what a line comes to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dbz.bring.files.logs.line import LogLine
from dbz.bring.files.logs.reading import LogReader, read_access_log
from dbz.bring.files.opening import read_file
from dbz.bring.learning.reading import AccessLogs
from dbz.errors import UsageError

AT_S = 1_791_640_536.0
"""2026-10-10 13:55:36 UTC."""
TRAEFIK = {
    "ClientAddr": "192.0.2.7:52300", "ClientHost": "192.0.2.7", "ClientPort": "52300", "ClientUsername": "-",
    "DownstreamContentSize": 17, "DownstreamStatus": 204, "Duration": 1_500_000_000, "OriginStatus": 204,
    "RequestHost": "club.example", "RequestMethod": "PUT", "RequestPath": "/a/b?c=d", "RequestScheme": "https",
    "StartLocal": "2026-10-10T15:55:36+02:00", "StartUTC": "2026-10-10T13:55:36Z", "level": "info", "msg": "",
    "request_User-Agent": "curl/8", "time": "2026-10-10T13:55:37Z",
}  # fmt: skip
CADDY = {
    "level": "info", "ts": AT_S + 1.5, "logger": "http.log.access.log0", "msg": "handled request",
    "request": {
        "remote_ip": "192.0.2.7", "remote_port": "41342", "client_ip": "192.0.2.7", "proto": "HTTP/2.0",
        "method": "PUT", "host": "club.example", "uri": "/a/b?c=d", "headers": {"User-Agent": ["curl/8"]},
    },
    "bytes_read": 0, "user_id": "", "duration": 1.5, "size": 10900, "status": 204,
}  # fmt: skip
PINO = {
    "level": 30, "time": int((AT_S + 1.5) * 1000), "pid": 1, "hostname": "a",
    "req": {
        "id": 1, "method": "PUT", "url": "/a/b?c=d", "headers": {"user-agent": "curl/8"},
        "remoteAddress": "192.0.2.7", "remotePort": 41342,
    },
    "res": {"statusCode": 204, "headers": {}}, "responseTime": 1500, "msg": "request completed",
}  # fmt: skip
ELASTIC = {
    "@timestamp": "2026-10-10T13:55:36.000Z", "http": {"request": {"method": "PUT"}, "response": {"status_code": 204}},
    "url": {"original": "/a/b?c=d", "path": "/a/b"}, "source": {"ip": "192.0.2.7"},
    "user_agent": {"original": "curl/8", "name": "curl"},
}  # fmt: skip
GOOGLE = {
    "timestamp": "2026-10-10T13:55:36Z",
    "httpRequest": {
        "requestMethod": "PUT", "requestUrl": "https://club.example/a/b?c=d", "status": 204,
        "userAgent": "curl/8", "remoteIp": "192.0.2.7", "latency": "1.5s",
    },
}  # fmt: skip
ENVOY = {
    "start_time": "2026-10-10T13:55:36.000Z", "method": "PUT", "path": "/a/b?c=d", "response_code": 204, "duration": 3,
    "user_agent": "curl/8", "downstream_remote_address": "192.0.2.7:41342", "authority": "club.example",
}  # fmt: skip
GATEWAY = {
    "requestId": "x", "ip": "192.0.2.7", "caller": "-", "user": "-", "requestTime": "10/Oct/2026:13:55:36 +0000",
    "httpMethod": "PUT", "resourcePath": "/a/b?c=d", "status": "204", "userAgent": "curl/8",
}  # fmt: skip
COMBINED = '192.0.2.7 - - [10/Oct/2026:13:55:36 +0000] "PUT /a/b?c=d HTTP/1.1" 204 - "-" "curl/8"'
CLASSIC = (
    "2026-10-10T13:55:36.000000Z my-lb 192.0.2.7:2817 10.0.0.1:80 0.000073 1.001048 0.000057 204 204 0 29 "
    '"PUT https://club.example:443/a/b?c=d HTTP/1.1" "curl/8" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2'
)
DOCKER = {"log": f"{COMBINED}\n", "stream": "stdout", "time": "2026-10-10T13:55:36.1Z"}


@pytest.mark.parametrize(
    "line",
    [
        *map(json.dumps, (TRAEFIK, CADDY, PINO, ELASTIC, GOOGLE, ENVOY, GATEWAY, DOCKER)),
        COMBINED,
        CLASSIC,
        f"club.example:443 {COMBINED}",
        f"Oct 10 13:55:36 web-1 nginx: {COMBINED}",
        f"2026-10-10T13:55:36.123456789Z stdout F {COMBINED}",
        f"web-1  | {COMBINED}",
        COMBINED.replace("192.0.2.7", "192.0.2.7, 10.0.0.3, 10.0.0.4"),
        COMBINED.replace("10/Oct/2026:13:55:36 +0000", "2026-10-10T13:55:36+00:00"),
    ],
    ids=lambda line: line[:40],
)
def test_a_line_says_the_same_in_every_format(line: str) -> None:
    read = LogReader().line(line)
    assert read is not None
    exchange = read.exchange
    assert (exchange.method, exchange.path, exchange.status) == ("PUT", "/a/b", 204)
    assert exchange.url.endswith("?c=d") and exchange.started_s == AT_S
    assert read == LogLine(exchange, user="", agent="curl/8") and exchange.source == "192.0.2.7"


def test_a_user_may_have_spaces_and_a_client_a_name() -> None:
    read = LogReader().line(COMBINED.replace("192.0.2.7 - - ", "host.example - Jane Doe "))
    assert read is not None and (read.exchange.source, read.user) == ("host.example", "Jane Doe")
    behind = LogReader().line(COMBINED.replace("192.0.2.7 - - ", "club.example 2001:db8::7 - jane "))
    assert behind is not None and (behind.exchange.source, behind.user) == ("2001:db8::7", "jane")


IIS = """\
#Software: Microsoft Internet Information Services 10.0
#Version: 1.0
#Date: 2026-10-10 13:55:36
#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) sc-status time-taken
2026-10-10 13:55:36 10.0.0.1 GET /a - 443 - 192.0.2.7 Mozilla/5.0+(X11) 200 250
2026-10-10 13:55:36 10.0.0.1 POST /b c=d 443 CLUB\\jane 192.0.2.7 Mozilla/5.0+(X11) 404 1250
2026-10-10 13:55:36 10.0.0.1 GET /cut
#Fields: date time c-ip cs-method cs-uri-stem sc-status
2026-10-10 13:55:38 192.0.2.8 GET /later 200
"""
CLOUDFRONT = """\
#Version: 1.0
#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(User-Agent) cs-uri-query \
time-taken
2026-10-10\t13:55:36\tLAX1\t2390282\t192.0.2.7\tGET\td1.cloudfront.net\t/a\t200\tMozilla/5.0%20(X11)\t-\t0.25
2026-10-10\t13:55:36\tLAX1\t2390282\t192.0.2.7\tPOST\td1.cloudfront.net\t/b\t404\tMozilla/5.0%20(X11)\tc=d\t1.25
2026-10-10\t13:55:38\tLAX1\t1\t192.0.2.8\tGET\td1.cloudfront.net\t/later\t000\t-\t-\t0
"""


@pytest.mark.parametrize(("text", "broken"), [(IIS, 1), (CLOUDFRONT, 0)], ids=["IIS", "CloudFront"])
def test_an_extended_log_says_itself_what_stands_where(tmp_path: Path, text: str, broken: int) -> None:
    path = tmp_path / "log"
    path.write_text(text)
    recording = read_file(path)
    urls = [(one.method, one.url, one.started_s - AT_S, one.duration_s) for one in recording.exchanges]
    assert urls == [("GET", "/a", -0.25, 0.25), ("POST", "/b?c=d", -1.25, 1.25), ("GET", "/later", 2.0, 0.0)]
    assert [one.source for one in recording.exchanges] == ["192.0.2.7", "192.0.2.7", "192.0.2.8"]
    assert any("1 of 4 lines" in note for note in recording.notes) == bool(broken)
    logs = AccessLogs([path])
    assert [line.exchange.url for line in logs.lines()] == ["/b?c=d", "/a", "/later"]
    assert [one.broken for one in logs.files] == [broken]


def test_cloudfront_as_json_is_the_same(tmp_path: Path) -> None:
    fields = {"date": "2026-10-10", "time": "13:55:36", "c-ip": "192.0.2.7", "cs-method": "GET", "cs-uri-stem": "/a"}
    read = LogReader().line(json.dumps(fields | {"sc-status": "200", "cs-uri-query": "b=c", "time-taken": "0.5"}))
    assert read is not None and (read.exchange.url, read.exchange.started_s) == ("/a?b=c", AT_S - 0.5)
    one = tmp_path / "docker.log"
    one.write_text(json.dumps(DOCKER))
    assert [exchange.url for exchange in read_file(one).exchanges] == ["/a/b?c=d"]


@pytest.mark.parametrize(
    "line",
    [
        '{"url": {}}', '{"url": []}', '{"request": {"request": {"request": {"request": {}}}}}', '{"log": "{"}',
        '{"url": "/a", "status": {"id": "x"}}', '{"url": "/a", "time": "inf"}', '{"message": "started"}', "[1]",
        "#Fields: cs-method", '{"cs-method": 5, "cs-uri-stem": "/a"}', "2026-10-10T13:55:36Z lb 1.2.3.4:5 - -1 -1 -1 ",
        "2026-10-10T13:55:36Z stdout F ", ' [] "GET / HTTP/1.1" 200 -', "- [-] \"GET / HTTP/1.1\" 200 -",
    ],
)  # fmt: skip
def test_odd_lines_are_none_of_a_log_and_never_an_error(line: str) -> None:
    with pytest.raises(UsageError):
        read_access_log([line], "log")
