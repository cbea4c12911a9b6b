"""Samples as JTL in XML and as vegeta encodes them: each counted once, as what it was."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.errors import UsageError
from dbz.measure.latency.series import COMPOSITE, HTTP, Series
from dbz.runs.imports.imported import Imported
from dbz.runs.imports.reading import read_file
from tests.runs.imports.reading import written

BEGUN_MS = 1_788_000_000_000
Sample = tuple[int, int, str, bool]
"""When it began after the first, how long it took, in milliseconds, what it is of, and whether it succeeded."""
SAMPLES = st.lists(
    st.tuples(
        st.integers(0, 10**6), st.integers(0, 60_000), st.sampled_from(("GET /a", 'b "c" <&\n', "ä")), st.booleans()
    ),
    min_size=1,
    max_size=30,
)


def xml_sample(sample: Sample, *, inner: str = "", message: str = "OK", name: str = "httpSample") -> str:
    """One element of a JTL, with others in it."""
    begun, took, label, success = sample
    return (
        f'<{name} t="{took}" it="0" lt="1" ct="0" ts="{BEGUN_MS + begun}" s="{str(success).lower()}" '
        f'lb={quoteattr(label)} rc="200" rm={quoteattr(message)} tn="t 1-1" by="9">\n{inner}</{name}>\n'
    )


def jtl(*samples: str) -> str:
    """A whole file."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testResults version="1.2">\n{"".join(samples)}</testResults>\n'


def encoded_json(sample: Sample) -> str:
    """A line of `vegeta encode -to json`."""
    begun, took, label, success = sample
    at = datetime.fromtimestamp((BEGUN_MS + begun) / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f123Z")
    row = {"attack": "", "seq": 1, "code": 200 if success else 0, "timestamp": at}
    row |= {"latency": took * 1_000_000, "bytes_out": 0, "bytes_in": 9, "error": "" if success else "refused"}
    return json.dumps(row | {"body": "", "method": "GET", "url": f"http://127.0.0.1/{label}", "headers": None}) + "\n"


def encoded_csv(sample: Sample) -> str:
    """A line of `vegeta encode -to csv`; URLs have no line breaks there."""
    begun, took, label, success = sample
    text = io.StringIO()
    at, name = (BEGUN_MS + begun) * 1_000_000, label.replace("\n", "")
    row = [at, 200 if success else 503, took * 1_000_000, 0, 9, "" if success else "503 no"]
    csv.writer(text, lineterminator="\n").writerow([*row, "", "", 1, "GET", f"http://127.0.0.1/{name}", ""])
    return text.getvalue()


def counted(imported: Imported) -> dict[str, tuple[int, int]]:
    """How many succeeded and failed, by the last word of what they are of."""
    return {
        of.name.rpartition("127.0.0.1/")[2].replace("\n", ""): (len(latency.ok), len(latency.failed))
        for of, latency in imported.latencies.items()
    }


@pytest.mark.parametrize("kind", ["xml", "json", "csv"])
@given(samples=SAMPLES, packed=st.booleans())
def test_every_sample_is_counted_once_as_what_it_was(tmp_path_factory, kind, samples, packed):
    encode = {"json": encoded_json, "csv": encoded_csv}.get(kind)
    text = "".join(map(encode, samples)) if encode else jtl(*map(xml_sample, samples))
    path = written(tmp_path_factory.mktemp("samples"), gzip.compress(text.encode()) if packed else text, "results")
    imported = read_file(path)
    ok, failed = (
        Counter(label.replace("\n", "") for _, _, label, success in samples if success is wanted)
        for wanted in (True, False)
    )
    assert counted(imported) == {label: (ok[label], failed[label]) for label in ok.keys() | failed.keys()}
    longest = max(latency.max_ms for latency in imported.latencies.values())
    assert longest == pytest.approx(max(took for _, took, *_ in samples), rel=0.001)
    ends = [begun + took for begun, took, *_ in samples]
    assert imported.seconds * 1000 == pytest.approx(max(ends) - min(begun for begun, *_ in samples), abs=1)


def test_requests_of_a_transaction_count_and_parts_of_a_request_do_not(tmp_path: Path) -> None:
    redirect, page = xml_sample((0, 5, "GET /-0", True)), (0, 20, "GET /", True)
    inner = xml_sample(page, inner=redirect) + xml_sample((20, 30, "GET /b", False))
    message = "Number of samples in transaction : 2, number of failing samples : 1"
    buy = xml_sample((0, 50, "buy", False), inner=inner, message=message, name="sample")
    found = read_file(written(tmp_path, jtl(buy), "results.jtl")).latencies
    assert {of: (len(latency.ok) + latency.errors, latency.errors) for of, latency in found.items()} == {
        Series(COMPOSITE, "buy"): (1, 1),
        Series(HTTP, "GET /"): (1, 0),
        Series(HTTP, "GET /b"): (1, 1),
    }


BOMB = '<?xml version="1.0"?>\n<!DOCTYPE t [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>\n<testResults>&b;</testResults>'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (jtl(xml_sample((0, 20, "a", True)))[:-20], r"results:4: this is no XML: .*; is it cut off\?"),
        (BOMB, "results: a JTL declares no document type"),
        (jtl('<httpSample ts="1" lb="a" s="true"/>'), "results:3: this is no sample of JMeter .*'t'"),
        (jtl('<httpSample t="soon" ts="1" lb="a" s="true"/>'), "results:3: this is no sample of JMeter"),
        (jtl('<httpSample t="-1" ts="1" lb="a" s="true"/>'), "results:3: when a sample began and how long"),
        (jtl('<httpSample t="1" ts="1" lb="a" s="maybe"/>'), "results:3: this is no sample of JMeter"),
        (encoded_json((0, 1, "a", True)) + '{"code": 200}\n', "results:2: this is no result of vegeta"),
        (encoded_json((0, 1, "a", True)) + encoded_json((0, 1, "a", True))[:40], "results:2: .*is it cut off"),
        (encoded_csv((0, 1, "a", True)) + "1,2\n", "results:2: this is no result of vegeta: a result has 12 columns"),
        (encoded_csv((0, -1, "a", True)), "results:1: when a sample began and how long"),
    ],
)
def test_what_is_no_sample_is_named(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        read_file(written(tmp_path, text, "results"))


def test_results_in_the_format_of_go_are_told_how_to_be_encoded(tmp_path: Path) -> None:
    gob = b"\x7f\xff\x83\x03\x01\x01\x06Result\x01\xff\x84\x00\x01\x0c\x01\x06Attack\x01\x0c\x00\x01\x03Seq\x01\x06"
    gob += b"\x00\x01\x07Latency\x01\x04\x00\x01\x08BytesOut\x01\x06\x00"
    with pytest.raises(UsageError, match="format of Go") as raised:
        read_file(written(tmp_path, gob, "results.bin"))
    assert "vegeta encode" in str(raised.value.hint)
