"""Prometheus text and OpenMetrics are read as Prometheus's own parser does, and nonsense costs nothing but itself."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as classic

from dbz.targets.exposition import read_page

NAMES = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,12}", fullmatch=True)
LABELS = st.dictionaries(
    st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,8}", fullmatch=True),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\x85\u2028\u2029\x0b\x0c\x1c\x1d\x1e"), max_size=12),
    max_size=4,
)
VALUES = st.floats(allow_nan=True, allow_infinity=True)


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def line(name: str, labels: dict[str, str], value: float, tail: str) -> str:
    inside = ",".join(f'{key}="{escaped(text)}"' for key, text in labels.items())
    written = {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, repr(value))
    return f"{name}{{{inside}}} {written}{tail}"


def read(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    page = read_page(text.encode(), lambda _name: True)
    return {
        (name, frozenset(one.labels.items())): one.value for name, samples in page.samples.items() for one in samples
    }


@given(st.lists(st.tuples(NAMES, LABELS, VALUES, st.sampled_from(["", " 1700000000000"])), max_size=6))
def test_what_the_reference_parser_reads_is_read_alike(samples: list[tuple[str, dict[str, str], float, str]]) -> None:
    text = "\n".join(line(*sample) for sample in samples) + "\n"
    reference = {
        (one.name, frozenset(one.labels.items())): one.value
        for family in classic(text)
        for one in family.samples
        if math.isfinite(one.value)
    }
    assert read(text) == reference


def test_open_metrics_with_exemplars_units_and_times_is_read_alike() -> None:
    text = (
        "# TYPE cpu_seconds counter\n# UNIT cpu_seconds seconds\n# HELP cpu_seconds used\n"
        'cpu_seconds_total{pid="1"} 5.5 1700000000.5\ncpu_seconds_created{pid="1"} 1.7e9 1700000000.5\n'
        "# TYPE q histogram\n"
        'q_bucket{le="0.1"} 2 # {trace_id="a"} 0.05 1700000000.0\nq_bucket{le="+Inf"} 3 # {trace_id="b}"} 0.7\n'
        "q_count 3\nq_sum 1.0\n# EOF\n"
    )
    reference = {
        (one.name, frozenset(one.labels.items())): one.value for family in openmetrics(text) for one in family.samples
    }
    assert read(text) == reference
    assert read_page(text.encode(), lambda name: name == "cpu_seconds_total").types == {"cpu_seconds": "counter"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('m{a="x",} 3', 3.0),  # micrometer
        ('{"process.cpu.time",a="x"} 3', 3.0),  # names of Prometheus 3
        ('  m { a = "x" } 3', 3.0),
        ('m{a="x"} 1\nm{a="x"} 3', 3.0),
        ('m{a="x"}3', 3.0),
        ('m{a="x"} NaN', None),
        ('m{a="x"} 1e999', None),
        ('m{a="x"} 1_0', None),
        ('m{a="x" 3', None),
        ("m{a=x} 3", None),
        ('m{a="x"}', None),
        ('m{a="x"} three', None),
        ("<html>", None),
    ],
)
def test_a_line_is_a_sample_or_it_is_nothing(text: str, value: float | None) -> None:
    found = read(text)
    assert list(found.values()) == ([] if value is None else [value])
    if value is not None:
        assert next(iter(found)) in (
            ("m", frozenset({("a", "x")})),
            ("process_cpu_time", frozenset({("a", "x")})),
        )


@given(st.binary(max_size=300))
def test_no_page_whatever_raises(body: bytes) -> None:
    read_page(b"process_cpu_seconds_total{" + body, lambda _name: True)
    read_page(body, lambda _name: True)


@pytest.mark.parametrize(
    "nonsense",
    [
        b'm{a="' * 400_000,
        (b"m{" + b'a="\\' * 12_000 + b"\n") * 40,
        b"m " * 1_000_000,
        b"\n" * 4_000_000,
        b'{"' * 900_000,
    ],
)
def test_megabytes_of_nonsense_take_a_moment(nonsense: bytes) -> None:
    began_s = time.process_time()
    read_page(nonsense + b"\nm 1\n", lambda name: name == "m")
    assert time.process_time() - began_s < 3
