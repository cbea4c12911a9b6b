"""What budgets can be about: the selector grammar, the statistics, and their values."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.measure.budget.counted import Counted
from dbz.measure.budget.measured import Measured
from dbz.measure.budget.measuring import Measurements, measure
from dbz.measure.budget.metrics import CATALOGUE, Filter, Selector, check_stat, parse_selector, unit_of
from dbz.measure.budget.verdicts import unmatched
from dbz.measure.latency.attempts import Latency
from dbz.measure.latency.buckets import Buckets
from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.series import CONNECT, DELIVERY, HTTP, SERVICE, Series
from dbz.measure.latency.tags import Tags

labelled = [metric for metric in CATALOGUE.values() if metric.label]
globs = st.text(st.characters(exclude_characters='"'), min_size=1, max_size=30)


def latency(milliseconds: list[int], failed: int = 0) -> Latency:
    ok, bad = Histogram(), Histogram()
    for value in milliseconds:
        ok.record(value * 1000)
    bad.record(1000, failed) if failed else None
    return Latency(ok, bad)


def found(**more: object) -> Measurements:
    latencies = {
        Series(HTTP, "GET /api/posts"): latency([10] * 10),
        Series(HTTP, "GET /api/games"): latency([30] * 10, failed=2),
        Series(DELIVERY, "chat"): latency([50]),
        Series(SERVICE, "GET /api/posts"): latency([999]),
    }
    return Measurements(seconds=10, latencies=latencies, **more)  # type: ignore[arg-type]


def plain(of: str, stat: str, measured: Measurements) -> tuple[float, int]:
    """A value and its samples, without the interval."""
    one = measure(parse_selector(of), stat, measured)
    assert one is not None
    return one.value, one.samples


@given(st.sampled_from(labelled), globs)
def test_a_selector_survives_its_text(metric: object, glob: str) -> None:
    text = f'{metric.name}{{{metric.label}="{glob}"}}'  # type: ignore[attr-defined]
    selector = parse_selector(text)
    assert (selector.metric, selector.filters) == (metric, (Filter(glob),))
    assert parse_selector(str(selector)) == selector


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_metric_of_the_catalogue_is_a_selector(name: str) -> None:
    assert str(parse_selector(f" {name} ")) == name


def test_a_network_takes_its_users_and_leaves_everybody_without_one() -> None:
    of_network = {
        Tags(name): Measurements(seconds=10, latencies={Series(HTTP, "GET /api/posts"): latency([value] * 5)})
        for name, value in (("3g", 300), ("wifi", 10))
    }
    measured = found(tagged=of_network)
    assert plain("http{network=3g}", "p50", measured) == plain("http{network!=wifi}", "max", measured)
    value_ms, samples = plain('http{op="GET /api/posts", network="3g"}', "p50", measured)
    assert (round(value_ms), samples) == (300, 5)
    assert plain("http{network=*}", "count", measured) == (10, 10)
    assert measure(parse_selector("http{op=elsewhere, network=3g}"), "p50", measured) is None
    selector = parse_selector('http{op="GET *", op!="GET /media/*", network=3g, network!=wifi}')
    assert parse_selector(str(selector)) == selector
    near = parse_selector("http{network=3h}")
    assert unmatched(near, measured) == "no network is called 3h; did you mean 3g?"
    assert "no networks that were named" in unmatched(near, found())


def test_a_service_takes_its_answers_and_its_errors_whatever_the_network() -> None:
    of = {
        tags: Measurements(seconds=10, latencies={Series(HTTP, "GET /"): latency([value] * 4, failed=failed)})
        for tags, value, failed in (
            (Tags(), 5, 0),
            (Tags("3g", "game"), 300, 4),
            (Tags("wifi", "game"), 100, 0),
            (Tags("wifi", "chat"), 10, 0),
        )
    }
    measured = found(tagged=of)
    assert plain("http{service=game}", "count", measured) == (8, 12)
    assert plain("errors{service=game}", "error_rate", measured) == (pytest.approx(1 / 3), 12)
    assert plain("errors{service!=game}", "error_rate", measured) == (0, 8)
    assert plain("http{service=game, network=wifi, op=GET*}", "max", measured)[1] == 4
    assert plain("http{service=*}", "count", measured) == (12, 16), "answers that name nobody are nobody's"
    assert measure(parse_selector("http{service=chat, network=3g}"), "p50", measured) is None
    assert unmatched(parse_selector("http{service=gam}"), measured) == "no service is called gam; did you mean game?"
    assert "service_header" in unmatched(parse_selector("errors{service=game}"), found())


def test_quotes_may_be_left_out() -> None:
    assert parse_selector("delivery{event=chat}") == parse_selector('delivery{event="chat"}')


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "write for example http"),
        ("http{op=", "write for example http"),
        ("htpp", "did you mean http\\?"),
        ("zzz", "known: http, connect"),
        ("http{event=chat}", "its labels are 'op', 'network' and 'service'"),
        ("connect{service=x}", "its labels are 'name' and 'network'"),
        ("uptime{op=x}", "it has no parts"),
        ("uptime{network=x}", "it has no parts"),
        ("measure{network=x}", "its label is 'name'"),
    ],
)
def test_a_wrong_selector_names_what_is_allowed(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_selector(text)


@pytest.mark.parametrize("stat", ["mean", "p50", "p99.99", "p100", "max", "error_rate", "rate", "count"])
def test_statistics_of_attempts(stat: str) -> None:
    check_stat(CATALOGUE["http"], stat)


@pytest.mark.parametrize(
    ("metric", "stat"),
    [
        ("http", "min"),
        ("http", "p101"),
        ("http", "p50 … p99.99"),
        ("uptime", "p95"),
        ("server.query", "max"),
        ("errors", ""),
    ],
)
def test_a_statistic_that_does_not_fit_names_those_that_do(metric: str, stat: str) -> None:
    with pytest.raises(ValueError, match=r"does not fit .*; allowed: "):
        check_stat(CATALOGUE[metric], stat)


@pytest.mark.parametrize("metric", CATALOGUE.values(), ids=lambda metric: metric.name)
def test_every_statistic_that_fits_can_be_measured(metric: object) -> None:
    whole = found(
        gauges={name: [0.5] for name in CATALOGUE},
        queries={"posts.list": Buckets({0.1: 5}, 0.2)},
        probes=(9, 10),
    )
    kept = [name for name in CATALOGUE if name.startswith("delivery.") or name.endswith(".doubtful")]
    whole.deliveries = {name: {"chat": (1, 10)} for name in kept}
    whole.parts = {"import.mobile_thread_cpu": {"mqt_js": [0.5]}}
    whole.latencies |= {
        Series(kind, "x"): latency([5]) for kind in ("connect", "ack", "composite", "measure", "page", "other")
    }
    whole.counters = {"orders": Counted(3, 7.0, [4.0, 3.0])}
    for stat in [*metric.stats, "p95"]:  # type: ignore[attr-defined]
        if "…" in stat or (stat == "p95" and not any("…" in known for known in metric.stats)):  # type: ignore[attr-defined]
            continue
        check_stat(metric, stat)  # type: ignore[arg-type]
        measured = measure(parse_selector(metric.name), stat, whole)  # type: ignore[attr-defined]
        assert measured is not None and measured.samples > 0, stat


def test_a_label_takes_a_part_and_a_glob_takes_several() -> None:
    assert plain('http{op="GET /api/posts"}', "p95", found()) == (pytest.approx(10, rel=0.001), 10)
    assert plain("http{op=GET /api/*}", "error_rate", found()) == (pytest.approx(2 / 22), 22)
    assert plain('http{op="GET *", op!="*/posts"}', "count", found()) == (10, 12)
    assert measure(parse_selector("http{op=POST *}"), "p95", found()) is None


def test_a_name_with_brackets_is_meant_by_itself() -> None:
    one = Measurements(seconds=1, latencies={Series(HTTP, "GET /posts/[id]"): latency([7])})
    assert measure(parse_selector('http{op="GET /posts/[id]"}'), "count", one) == Measured(1.0, 1)


_NAMES = ["GET /a", "GET /*", "GET /[a]", "POST /a"]


@given(
    st.lists(st.dictionaries(st.sampled_from(_NAMES), st.integers(1, 9)), max_size=4),
    st.lists(st.builds(Filter, st.sampled_from([*_NAMES, "*", "GET *"]), st.booleans(), st.booleans()), max_size=2),
)
def test_attempts_of_each_block_are_those_of_the_names_that_match(
    counts: list[dict[str, int]], filters: list[Filter]
) -> None:
    selector = Selector(CATALOGUE[HTTP], tuple(filters))
    blocks = [
        {Series(kind, name): latency([1] * count) for name, count in block.items() for kind in (HTTP, CONNECT)}
        for block in counts
    ]
    whole = Measurements(seconds=1, blocks=blocks)
    expected = [sum(count for name, count in block.items() if selector.matches(name)) for block in counts]
    assert [one.count for one in whole.attempts_by_block((HTTP,), selector)] == expected
    for block, count in zip(blocks, expected, strict=True):
        assert Measurements(seconds=1, latencies=block).attempts((HTTP,), selector).count == count


def test_failures_are_no_throughput() -> None:
    assert measure(parse_selector("http"), "rate", found()) == Measured(2.0, 22)
    assert measure(parse_selector("http"), "count", found()) == Measured(20.0, 22)


def test_errors_are_over_attempts_of_every_kind() -> None:
    assert plain("errors", "error_rate", found()) == (pytest.approx(2 / 23), 23)


def test_uptime_is_the_share_of_answered_probes() -> None:
    assert measure(parse_selector("uptime"), "rate", found(probes=(59, 60))) == Measured(pytest.approx(59 / 60), 60)


def test_a_query_beyond_all_buckets_is_infinite() -> None:
    slow = found(queries={"posts.list": Buckets({math.inf: 3}, 90)})
    assert plain("server.query{name=posts*}", "p95", slow) == (math.inf, 3)


@pytest.mark.parametrize("name", CATALOGUE)
def test_nothing_measured_has_no_value(name: str) -> None:
    stat = next(stat for stat in CATALOGUE[name].stats if "…" not in stat)
    assert measure(parse_selector(name), stat, Measurements(seconds=0)) is None


def test_units_follow_the_statistic() -> None:
    http = CATALOGUE["http"]
    assert [unit_of(http, stat) for stat in ("p95", "error_rate", "rate", "count")] == ["ms", "%", "/s", ""]
    assert unit_of(CATALOGUE["uptime"], "rate") == "%"
