"""JMeter's samples: what was written is judged, whatever the columns, their order and what stands between them."""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.errors import UsageError
from dbz.measure.latency.series import COMPOSITE, HTTP, Series
from dbz.runs.imports.reading import read_file
from tests.cli.running import run_dbz

COLUMNS = ("timeStamp", "elapsed", "label", "responseCode", "responseMessage", "threadName", "success", "bytes", "URL")
SAMPLES = st.lists(
    st.tuples(
        st.integers(0, 10**6), st.integers(0, 60_000), st.sampled_from(("GET /a", 'b "c", d;e', "ä")), st.booleans()
    ),
    min_size=1,
    max_size=30,
)


def jtl(samples: list[tuple[int, int, str, bool]], columns: tuple[str, ...] = COLUMNS, delimiter: str = ",") -> str:
    """A file as JMeter writes it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, delimiter=delimiter, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for begun_ms, elapsed_ms, label, success in samples:
        writer.writerow(
            {"timeStamp": 1_788_000_000_000 + begun_ms, "elapsed": elapsed_ms, "label": label, "responseCode": 200}
            | {
                "responseMessage": "two\nlines",
                "threadName": "t 1-1",
                "success": str(success).lower(),
                "bytes": 9,
                "URL": "",
            }
        )
    return text.getvalue()


@given(SAMPLES, st.permutations(COLUMNS), st.sampled_from(",;\t"), st.sampled_from(("", "\ufeff")), st.booleans())
def test_every_sample_is_counted_once_as_what_it_was(tmp_path_factory, samples, columns, delimiter, mark, packed):
    path = tmp_path_factory.mktemp("jtl") / "results.jtl"
    raw = (mark + jtl(samples, tuple(columns), delimiter)).encode()
    path.write_bytes(gzip.compress(raw) if packed else raw)
    imported = read_file(path)
    found = {of.name: (len(latency.ok), len(latency.failed)) for of, latency in imported.latencies.items()}
    ok, failed = (Counter(label for _, _, label, success in samples if success is wanted) for wanted in (True, False))
    assert found == {label: (ok[label], failed[label]) for label in ok.keys() | failed.keys()}
    assert max(latency.max_ms for latency in imported.latencies.values()) == pytest.approx(
        max(elapsed_ms for _, elapsed_ms, *_ in samples), rel=0.001
    )


@pytest.mark.parametrize("form", ["%Y/%m/%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"])
def test_times_may_be_dates(tmp_path: Path, form: str) -> None:
    samples = [(second * 1000, 100, "GET /a", True) for second in range(11)]
    text = jtl(samples)
    for begun_ms, *_ in samples:
        begun = datetime.fromtimestamp(1_788_000_000 + begun_ms / 1000, UTC)
        text = text.replace(str(1_788_000_000_000 + begun_ms), begun.strftime(form))
    path = tmp_path / "results.jtl"
    path.write_text(text)
    assert read_file(path).seconds == pytest.approx(10.1)
    path.write_text(jtl(samples[:1]).replace("1788000000000", "soon"))
    with pytest.raises(UsageError, match="timestamp_format=ms"):
        read_file(path)


def test_a_transaction_is_a_composite_and_no_request(tmp_path: Path) -> None:
    line = '1788000000000,40,buy,,"Number of samples in transaction : 2, number of failing samples : 1",t,false,0,null'
    path = tmp_path / "results.jtl"
    path.write_text(jtl([(0, 20, "GET /a", True)]) + line + "\n")
    assert {of: latency.errors for of, latency in read_file(path).latencies.items()} == {
        Series(HTTP, "GET /a"): 0,
        Series(COMPOSITE, "buy"): 1,
    }


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("1788000000000,40,a", "has not as many columns"),
        ("1788000000000,soon,a,200,OK,t,true,9,", "no sample of JMeter"),
        ("1788000000000,-4,a,200,OK,t,true,9,", "should be times"),
        ("1788000000000,nan,a,200,OK,t,true,9,", "should be times"),
        ("1788000000000,40,a,200,OK,t,perhaps,9,", "no sample of JMeter"),
    ],
)
def test_a_line_that_is_no_sample_is_named(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "results.jtl"
    path.write_text(jtl([(0, 20, "GET /a", True)]) + line + "\n")
    with pytest.raises(UsageError, match=problem) as raised:
        read_file(path)
    assert "results.jtl:4" in str(raised.value), "a message of the line before it has two lines"


def test_failures_of_jmeter_break_a_budget(tmp_path: Path) -> None:
    (tmp_path / "results.jtl").write_text(jtl([(at, 20, "GET /a", at % 10 > 0) for at in range(100)]))
    (tmp_path / "b.yaml").write_text(
        'schema: dbz.budgets/1\nbudgets:\n  - {name: errors, of: errors, stat: error_rate, limit: "< 1%"}\n'
    )
    done = run_dbz(["budget", "check", "results.jtl", "--budgets", "b.yaml"], tmp_path, {})
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert "10 %" in done.stdout
