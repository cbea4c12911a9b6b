"""The server's Prometheus text, beside what the official client writes of the same figures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families

from dbz.server.observe.histogram import Counters, Histograms, Levels

LABELS = ("route", "name")
VALUES = st.tuples(st.text(max_size=8), st.sampled_from(["", "\\", '"', "\n", 'a\\n"b', "/api/posts/{id}", "é"]))
NUMBERS = st.dictionaries(VALUES, st.one_of(st.integers(0, 2**53), st.floats(0, 1e18)), max_size=4)


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(VALUES, st.lists(st.floats(0, 20), max_size=20), max_size=4), NUMBERS, NUMBERS)
def test_text_says_what_the_official_client_says(
    durations: dict[tuple[str, str], list[float]],
    counts: dict[tuple[str, str], float],
    levels: dict[tuple[str, str], float],
) -> None:
    """Whatever the labels and numbers are, a reader finds the same metrics with the same samples."""
    histograms, counters, gauges = (
        Histograms("took_seconds", 'Time of a "query".', LABELS),
        Counters("asked", "Back\\slash and\nline.", LABELS),
        Levels("level", "", LABELS),
    )
    for labels, seconds in durations.items():
        for second in seconds:
            histograms.observe(labels, second)
    counters.values.update(counts)
    gauges.values.update(levels)
    ours = "".join(line for family in (histograms, counters, gauges) for line in family.lines())
    assert read(ours) == read(official(histograms, counters, gauges))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 20), max_size=30), st.lists(st.floats(0, 20), max_size=30))
def test_processes_add_up(here: list[float], there: list[float]) -> None:
    """Two processes that are added up show what one would that had measured everything."""
    one, first, second = (Histograms("took_seconds", "", ("name",)) for _ in range(3))
    for process, seconds in ((first, here), (second, there)):
        for duration in seconds:
            process.observe(("a",), round(duration))
            one.observe(("a",), round(duration))
    first.merge(second.dump())
    assert "".join(first.lines()) == "".join(one.lines())


def official(histograms: Histograms, counters: Counters, gauges: Levels) -> str:
    """The same figures, written by prometheus-client."""

    class Source:
        def collect(self) -> Iterable[Metric]:
            histogram = HistogramMetricFamily(histograms.name, histograms.text, labels=LABELS)
            for labels, counts in histograms.counts.items():
                running, buckets = 0, []
                for bound, count in zip((*map(str, histograms.bounds), "+Inf"), counts, strict=True):
                    running += count
                    buckets.append((bound, float(running)))
                histogram.add_metric(labels, buckets, histograms.sums[labels])
            counter = CounterMetricFamily(counters.name, counters.text, labels=LABELS)
            gauge = GaugeMetricFamily(gauges.name, gauges.text, labels=LABELS)
            for labels, value in counters.values.items():
                counter.add_metric(labels, value)
            for labels, value in gauges.values.items():
                gauge.add_metric(labels, value)
            return [histogram, counter, gauge]

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Source())  # type: ignore[arg-type]
    return generate_latest(registry).decode()


def read(text: str) -> list[Any]:
    """Metrics as a reader sees them: name, kind, help, and samples in any order."""
    return [
        (
            metric.name,
            metric.type,
            metric.documentation,
            sorted((s.name, sorted(s.labels.items()), s.value) for s in metric.samples),
        )
        for metric in text_string_to_metric_families(text)
    ]
