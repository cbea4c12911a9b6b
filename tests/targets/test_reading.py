"""Standard metrics, and those that a profile names, become the right figures."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.config.load.metrics import TargetMetrics
from dbz.measure.latency.buckets import Buckets
from dbz.runs.storage.sound_lines import SERVER, is_sound
from dbz.targets.reading import PageReader, Second, since, together
from dbz.targets.requests import read_requests, requests_between
from dbz.targets.standard import Figure

RECORDED = Path(__file__).parent / "recorded"


def metrics(**keys: Any) -> TargetMetrics:
    return TargetMetrics.model_validate(keys)


def line_of(*pages: str, passed_s: float = 1.0, cores: float | None = 1.0, **keys: Any) -> dict[str, Any]:
    """What the last second was like at the last of some pages, read one after the other."""
    reader = PageReader(metrics(**keys))
    readings = [reader.read(page.encode(), at * passed_s) for at, page in enumerate(pages)]
    assert readings[-1] is not None and readings[-2] is not None
    second = since(readings[-1], readings[-2])
    second.cores = second.cores or cores
    return together([second])


def test_opentelemetry_of_python_as_it_was_recorded() -> None:
    text = (RECORDED / "opentelemetry_python.txt").read_text()
    bucket = 'db_collection_name="posts",db_operation_name="find",db_system_name="mongodb",le="{}"'
    later = text.replace("process_cpu_seconds_total 0.36", "process_cpu_seconds_total 0.76")
    for bound, count in (
        ("0.05", "3.0"),
        ("0.1", "3.0"),
        ("0.5", "3.0"),
        ("1", "3.0"),
        ("5", "3.0"),
        ("10", "3.0"),
        ("+Inf", "3.0"),
    ):
        later = later.replace("{" + bucket.format(bound), "{" + bucket.format(bound) + "§", 1)
        later = "\n".join(
            f"{row.replace('§', '').rsplit(' ', 1)[0]} {count}" if "§" in row else row for row in later.split("\n")
        )
    line = line_of(text, later)
    assert line["cpu_share"] == pytest.approx(0.4), "the two names of the CPU time count once"
    assert line["memory_bytes"] == 33_132_544
    assert line["active_requests"] == 4
    assert line["queries"]["find posts"]["counts"]["0.05"] == 1


def test_opentelemetry_of_node_as_it_was_recorded() -> None:
    text = (RECORDED / "opentelemetry_node.txt").read_text()
    later = text.replace(" 0.586475", " 0.786475").replace(" 0.11975", " 0.21975")
    assert later != text
    line = line_of(text, later, passed_s=0.5)
    assert line["cpu_share"] == pytest.approx(0.6), "user and system together"
    assert line["memory_bytes"] == 69_943_296
    assert line["event_loop_lag_ms"] == pytest.approx(86.7697)


JVM_BYTES = 25_165_824 + 37_748_736 + 3_145_728 + 1_310_720 + 4_194_304 + 9_437_184 + 5_242_880 + 41_943_040
"""All pools of the page, heap or not; what is committed, and the most there may be, counts for nothing."""


def test_micrometer() -> None:
    text = (RECORDED / "micrometer.txt").read_text()
    later = (
        text.replace("3.5E9", "5.5E9")
        .replace('repository="PostRepository",le="0.1"} 3', 'repository="PostRepository",le="0.1"} 4')
        .replace('repository="PostRepository",le="+Inf"} 3', 'repository="PostRepository",le="+Inf"} 4')
    )
    line = line_of(text, later, cores=None)
    assert line["cpu_share"] == 0.5, "two of four cores by the counter, and neither the gauge nor the whole system's"
    assert line["memory_bytes"] == JVM_BYTES
    assert (line["connections"], line["active_requests"]) == (12, 3)
    assert line["queries"] == {"PostRepository findAll": {"counts": {"0.01": 0.0, "0.1": 1.0}, "sum_s": 0.0}}


def test_micrometer_before_it_counted_seconds_of_cpu() -> None:
    text = (RECORDED / "micrometer_simpleclient.txt").read_text()
    line = line_of(text, text, cores=None)
    assert line["cpu_share"] == 0.0625 and line["memory_bytes"] == JVM_BYTES
    assert (line["connections"], line["active_requests"]) == (12, 3)


@pytest.mark.parametrize(
    ("page", "another", "per_s", "error_rate"),
    [
        ("micrometer.txt", ('status="500",uri="/posts"} 2', 'status="500",uri="/posts"} 4'), 2, 1),
        ("micrometer_simpleclient.txt", ('uri="/posts",} 60.0', 'uri="/posts",} 64.0'), 4, 0),
    ],
)
def test_what_micrometer_tells_of_requests(
    page: str, another: tuple[str, str], per_s: float, error_rate: float
) -> None:
    text = (RECORDED / page).read_text()
    before, now = read_requests(text.encode()), read_requests(text.replace(*another).encode())
    assert before and now and sum(before.answered.values()) >= 62 and sum((before.failed or {}).values()) == 2
    figures = requests_between(before, now, 1.0)
    assert (figures.per_s, figures.error_rate) == (per_s, error_rate)


def test_a_share_of_all_cores_is_taken_as_it_is() -> None:
    page = "process_cpu_usage 0.25\nsystem_cpu_count 8\n"
    assert line_of(page, page, cores=None)["cpu_share"] == 0.25
    assert line_of("process_cpu_usage 0.25\n", "process_cpu_usage 0.25\n", cores=None)["cpu_share"] == 0.25


def test_prom_client_with_a_prefix_and_in_several_processes() -> None:
    def page(used: float) -> str:
        return "".join(
            f'club_process_cpu_seconds_total{{pid="{pid}"}} {used}\n'
            f'club_process_resident_memory_bytes{{pid="{pid}"}} 100\n'
            f'club_nodejs_eventloop_lag_p99_seconds{{pid="{pid}"}} {lag}\n'
            for pid, lag in ((1, 0.012), (2, 0.5), (3, "NaN"))
        )

    line = line_of(page(1), page(1.5), cores=3)
    assert line["cpu_share"] == 0.5 and line["memory_bytes"] == 300 and line["event_loop_lag_ms"] == 500


def test_two_prefixes_are_two_programs_of_which_none_is_meant() -> None:
    reader = PageReader(metrics())
    page = b"a_process_resident_memory_bytes 1\nb_process_resident_memory_bytes 2\n"
    assert reader.read(page, 0.0) is None
    assert PageReader(metrics()).read(page + b"process_resident_memory_bytes 3\n", 0.0).memory_bytes == 3  # type: ignore[union-attr]


def test_a_restart_counts_from_zero_and_another_process_is_no_restart() -> None:
    assert line_of("process_cpu_seconds_total 9\n", "process_cpu_seconds_total 0.25\n")["cpu_share"] == 0.25
    first = "process_cpu_seconds_total 9\nprocess_start_time_seconds 100\n"
    other = "process_cpu_seconds_total 30\nprocess_start_time_seconds 200\n"
    assert "cpu_share" not in line_of(first, other)


@pytest.mark.parametrize(
    ("keys", "page", "figure"),
    [
        ({"cpu": "my_cpu_seconds_total"}, "my_cpu_seconds_total {}", ("cpu_share", 2.0, 2.5, 0.5)),
        ({"cpu": "my_cpu_ms_total"}, "my_cpu_ms_total {}", ("cpu_share", 2000, 2500, 0.5)),
        ({"cpu": "my.cpu.time"}, "# TYPE my_cpu_time counter\nmy_cpu_time {}", ("cpu_share", 2.0, 2.5, 0.5)),
        ({"cpu": {"name": "ticks", "unit": "milliseconds"}}, "ticks {}", ("cpu_share", 0, 500, 0.5)),
        ({"cpu": "busy_percent"}, "busy_percent {}", ("cpu_share", 10, 50, 0.5)),
        ({"cpu": "busy"}, "busy {}", ("cpu_share", 0.1, 0.5, 0.5)),
        ({"cpu": {"name": "used", "unit": "cores"}}, "used {}", ("cpu_share", 0.1, 0.5, 0.5)),
        (
            {"cpu": 'c_seconds_total{app="a"}'},
            'c_seconds_total{{app="b"}} 9\nc_seconds_total{{app="a"}} {}',
            ("cpu_share", 1, 1.5, 0.5),
        ),
        ({"memory": "heap_mb"}, "heap_mb {}", ("memory_bytes", 1, 3, 3e6)),
        ({"memory": "rss"}, "rss {}", ("memory_bytes", 1, 3, 3.0)),
        ({"connections": "sockets"}, 'sockets{{room="a"}} 2\nsockets{{room="b"}} {}', ("connections", 1, 3, 5.0)),
        ({"event_loop_lag": "lag_ms"}, "lag_ms {}", ("event_loop_lag_ms", 1, 3, 3.0)),
        ({"event_loop_lag": "lag"}, 'lag{{w="a"}} 0.25\nlag{{w="b"}} {}', ("event_loop_lag_ms", 0.1, 0.5, 500.0)),
        ({"active_requests": "in_flight"}, "in_flight {}", ("active_requests", 1, 3, 3.0)),
    ],
)
def test_a_mapping_is_read_by_its_unit(
    keys: dict[str, Any], page: str, figure: tuple[str, float, float, float]
) -> None:
    key, before, after, value = figure
    assert line_of(f"{page.format(before)}\n", f"{page.format(after)}\n", **keys)[key] == pytest.approx(value)


def test_a_mapped_histogram_of_queries() -> None:
    def page(fast: int, every: int) -> str:
        rows = (("10", fast), ("+Inf", every))
        return "".join(f'sql_ms_bucket{{stmt="{q}",db="x",le="{le}"}} {n}\n' for q in "ab" for le, n in rows) + (
            f'sql_ms_sum{{stmt="a",db="x"}} {every * 5}\n'
        )

    line = line_of(page(1, 1), page(3, 4), queries={"name": "sql_ms", "label": "stmt"})
    assert line["queries"]["a"] == {"counts": {"0.01": 2.0, "inf": 1.0}, "sum_s": 0.015}
    assert set(line_of(page(1, 1), page(3, 4), queries="sql_ms")["queries"]) == {"x a", "x b"}


def test_what_a_profile_names_and_a_page_lacks_is_missing_and_nothing_stands_for_it() -> None:
    reader = PageReader(metrics(memory='my_memory_bytes{app="a"}'))
    reading = reader.read(
        b'process_cpu_seconds_total 1\nprocess_resident_memory_bytes 7\nmy_memory_bytes{app="b"} 1\n', 0.0
    )
    assert reading is not None and reading.memory_bytes is None
    assert reader.missing == {Figure.MEMORY: 'my_memory_bytes{app="a"}'}


def test_several_instances_are_summed_and_the_worst_lag_counts() -> None:
    seconds = [
        Second(0.5, 1.0, 100, 3, 20.0, 1, {"q": {"counts": {"0.1": 1.0}, "sum_s": 0.01}}),
        Second(1.0, 2.0, 200, 4, 90.0, 2, {"q": {"counts": {"0.1": 2.0}, "sum_s": 0.02}}),
    ]
    assert together(seconds) == {
        "memory_bytes": 300,
        "connections": 7,
        "active_requests": 3,
        "event_loop_lag_ms": 90.0,
        "cpu_share": 0.5,
        "queries": {"q": {"counts": {"0.1": 3.0}, "sum_s": 0.03}},
    }
    seconds[1].memory_bytes = None
    assert together(seconds)["memory_bytes"] is None, "a part is not the whole"


SAMPLES = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "process_cpu_seconds_total",
                "process_cpu_usage",
                "process_resident_memory_bytes",
                "socket_io_connected",
                "nodejs_eventloop_lag_p99_seconds",
                "dbz_server_cores",
                'db_client_operation_duration_seconds_bucket{le="1"}',
                'db_client_operation_duration_seconds_bucket{le="+Inf"}',
                "db_client_operation_duration_seconds_sum",
            ]
        ),
        st.floats(),
    ),
    max_size=8,
)


@given(SAMPLES, SAMPLES)
def test_whatever_values_there_are_a_line_of_the_record_is_sound(one: Any, other: Any) -> None:
    reader = PageReader(metrics())
    readings = [
        reader.read("".join(f"{name} {value!r}\n" for name, value in page).encode(), at)
        for at, page in enumerate([one, other])
    ]
    for reading in filter(None, readings):
        line = together([since(reading, readings[0] or reading)])
        assert is_sound({"t": 1.0, **line}, SERVER), line
        assert not any(isinstance(value, float) and not math.isfinite(value) for value in line.values())


@given(
    counts=st.dictionaries(st.sampled_from([0.001 * 1.25**step for step in range(40)]), st.integers(0, 3), min_size=1),
    percent=st.sampled_from((1, 50, 95, 100)),
)
def test_buckets_that_are_left_out_change_no_percentile(counts: dict[float, int], percent: float) -> None:
    every = {bound: float(count) for bound, count in counts.items()}
    line = together(
        [Second(queries={"q": {"counts": {str(bound): count for bound, count in every.items()}, "sum_s": 1.0}})]
    )
    kept = {float(bound): count for bound, count in line["queries"]["q"]["counts"].items()}
    whole, sparse = Buckets(every, 1.0), Buckets(kept, 1.0)
    assert sparse.percentile_ms(percent) == pytest.approx(whole.percentile_ms(percent))
    assert (sparse.count, sparse.slower_than(0.05)) == (whole.count, whole.slower_than(0.05))
    assert len(kept) <= 2 * sum(count > 0 for count in every.values())
