"""Contents that every reader understands: where its fuzzing begins."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

import orjson

from dbz.measure.latency import interval_log
from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.interval_log import Interval
from dbz.measure.latency.series import HTTP, Series
from tests.runs.builder import Scene

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
_LARGEST = 30_000
"""Of a seed: longer ones only make each try slower."""


def of_configs(name: str) -> list[bytes]:
    """A configuration that ships with dbz, or a folder of them."""
    path = ROOT / "configs" / name
    return [file.read_bytes() for file in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])]


def recordings() -> list[bytes]:
    """Recordings of all kinds that `dbz import` reads."""
    return [*RECORDINGS, (TESTS / "bring" / "files" / "tab1.har").read_bytes()[:_LARGEST]]


def results() -> list[bytes]:
    """Results of other tools."""
    files = sorted((TESTS / "runs" / "imports" / "files").iterdir())
    known = (file for file in files if file.suffix != ".md" and "failures" not in file.name)
    return [file.read_bytes() for file in known if file.stat().st_size < _LARGEST]


def runs() -> list[bytes]:
    """A `run.json`."""
    with tempfile.TemporaryDirectory() as folder:
        return [Scene().write(Path(folder)).run_json.read_bytes()]


def _interval() -> str:
    histogram = Histogram()
    for value_us in (120, 4500, 2_000_000):
        histogram.record(value_us)
    return interval_log.line(Interval(Series(HTTP, "GET /a, b"), 1.0, 1.0, histogram, ""))


RECORDINGS = [
    b"T=$(curl -sXPOST http://h/in -d @- <<'E'\n{}\nE\n) && curl -H \"Authorization: Bearer $T\" http://h/{a,b} # ok",
    b'curl ^"http://h/a^" ^\r\n  --data-raw ^"^{^\\^"a^\\^":1^}^"\r\ncurl -F f=@x -G http://h/b --next $\'http://h/\\u0063\'',
    b"curl 'http://127.0.0.1/a?b=1' -H 'Accept: */*' --data-raw '{\"a\": [1, 2]}' -u user:word -b 'c=d' --compressed",
    b'127.0.0.1 - ann [10/Oct/2026:13:55:36 +0000] "GET /posts/12?x=1 HTTP/1.1" 200 2326 "http://a/" "Firefox"\n' * 3,
    b'{"time": "2026-10-10T13:55:36Z", "method": "POST", "path": "/posts", "status": 201, "request_time": 0.12}\n' * 2,
    (
        b"http 2026-10-10T13:55:36.186641Z app/lb/50dc 192.168.131.39:2817 10.0.0.1:80 0.000 0.001 0.000 200 200 34 366 "
        b'"GET http://a:80/x HTTP/1.1" "curl/7.46.0" - - arn:aws:x "Root=1-58337262" "-" "-" 0 2026-10-10T13:55:36Z "forward" "-" "-"\n'
    ),
    orjson.dumps(
        {
            "openapi": "3.1.0",
            "paths": {
                "/posts/{id}": {
                    "parameters": [{"name": "id", "in": "path", "schema": {"type": "integer"}}],
                    "get": {"operationId": "post", "responses": {"200": {"description": "ok"}}},
                    "put": {
                        "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/P"}}}}
                    },
                }
            },
            "components": {
                "schemas": {
                    "P": {
                        "type": "object",
                        "properties": {"a": {"type": "string"}, "p": {"$ref": "#/components/schemas/P"}},
                    }
                }
            },
        }
    ),
    orjson.dumps(
        {
            "info": {"name": "c", "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"},
            "variable": [{"key": "base", "value": "http://a"}],
            "item": [
                {
                    "name": "sign in",
                    "event": [
                        {
                            "listen": "test",
                            "script": {"exec": ["pm.environment.set('token', pm.response.json().token);"]},
                        }
                    ],
                    "request": {
                        "method": "POST",
                        "url": {"raw": "{{base}}/login"},
                        "body": {"mode": "raw", "raw": "{}"},
                    },
                }
            ],
        }
    ),
    gzip.compress(b'127.0.0.1 - - [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1" 200 1\n'),
]
INCIDENTS = [b"schema: dbz.incidents/1\nincidents:\n  - {from: 5m, to: 10m, type: [SLOW_RESPONSE], what: slow}\n"]
CAPACITIES = [
    b'{"schema": "dbz.capacity/1", "id": "x", "started": "2026-10-10T13:55:36Z", "profile": {}, "scaled": "users", "tolerance": 0.1}'
]
TRACES = [
    b"time,requests,connections,memory\n0,100,20,40\n60,200.5,,41\n120,1,1,1\n",
    b"time,cpu,tasks\n0,50,2\n60,100,2\n",
    b'Id,m1\nLabel,CPUUtilization\nStatusCode,Complete\n"Full label","CPUUtilization (Average, 1 minute)"\n"2026/10/10 13:55:00",55.5\n"2026/10/10 13:56:00",60\n',
    b'{"MetricDataResults": [{"Id": "m1", "Label": "CPUUtilization", "Timestamps": ["2026-10-10T13:55:00+00:00", "2026-10-10T13:56:00+00:00"], "Values": [1.5, 2]}]}',
]
READINGS = [
    b"time,response time,memory\n0,120,50\n10,130,60\n",
    b'{"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {"__name__": "up"}, "values": [[1, "1"], [2, "0"]]}]}}',
]
PAGES = [
    b'# TYPE a_seconds histogram\na_seconds_bucket{le="0.1",op="GET \\"/a\\""} 3 1700000000\na_seconds_bucket{le="+Inf"} 4\na_seconds_sum 1.5e0\n',
    b'# TYPE b counter\nb_total{x="y"} NaN # {trace_id="a"} 1\n{"quoted.name", a="b"} 7\n# EOF\n',
]
INTERVALS = [_interval().encode(), interval_log.header(0.0).encode()]
PACKETS = [
    b'40/club,{"sid":"a"}',
    b'421["chat",{"a":1}]',
    b'452-/a,13["f",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]',
    b"41/a,",
]
FRAMES = [
    b"\x81\x03abc",
    b"\x01\x01a\x89\x00\x80\x01b",
    b"\x82\x7e\x00\x80" + b"x" * 128,
    b"\xc1\x05\xf2H\xcd\xc9\x07",
    b"\x88\x02\x03\xe8",
]
DOCUMENTS = [b"query A($a: Int = 1) @x { b(c: $a) { ...F } } fragment F on B { d } mutation { e }", b"{ a }"]
JSON_PATHS = [b'$.a[0]..b["d"]|{"a": [{"b": {"c": 2, "d": 3}}]}', b'$[*].id|[{"id": 1}]', b"$.a[-1]|{}"]
BUDGETS = [
    b'http{op="GET /api/posts"}|< 500ms',
    b"connect|< 1s",
    b"delivery{event=chat}|< 1m30s",
    b"ack|<= 2000ms",
]
