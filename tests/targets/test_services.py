"""The processes of services behind a gateway, as its page tells of them."""

from __future__ import annotations

from dbz.runs.schema import Operation
from dbz.runs.services import mean_processes, service_processes
from dbz.runs.storage.sound_lines import SERVER, is_sound
from tests.targets.test_reading import line_of

PAGE = """\
dbz_service_processes{{service="chat"}} 2
dbz_service_processes{{service="gateway"}} 1
dbz_process_cpu_seconds_total{{pid="1",service="chat"}} {0}
dbz_process_cpu_seconds_total{{pid="2",service="chat"}} {0}
dbz_process_cpu_seconds_total{{pid="3",service="gateway"}} {1}
dbz_upstream_calls_total{{service="chat",instance="a",outcome="2xx"}} {2}
dbz_upstream_calls_total{{service="chat",instance="b",outcome="5xx"}} {2}
"""


def test_processes_cpu_and_calls_of_each_service_stand_in_the_line() -> None:
    line = line_of(PAGE.format(1.0, 5.0, 10), PAGE.format(1.25, 5.1, 16))
    assert line["services"].keys() == {"chat", "gateway"}
    chat, gateway = line["services"]["chat"], line["services"]["gateway"]
    assert chat["processes"] == 2 and gateway["calls"] is None
    # Two processes used a quarter of a second each in what passed between the looks, and were called six times each.
    assert round(chat["calls"] / chat["cores"], 3) == 24 and round(gateway["cores"] / chat["cores"], 3) == 0.2
    assert is_sound({"t": 1.0, **line}, SERVER)
    assert not is_sound({"t": 1.0, "services": {"chat": {"cores": "many"}}}, SERVER)
    assert "services" not in line_of("process_cpu_seconds_total 1\n", "process_cpu_seconds_total 2\n")


def test_a_run_has_the_means_of_its_seconds_and_a_capacity_those_of_its_looks() -> None:
    lines = [
        {"services": {"chat": {"processes": count, "cores": cores, "calls": 4.0}}}
        for count, cores in ((2, 0.5), (1, 0.1), (2, 0.6))
    ]
    figures = {"mean": None, "p50": None, "p90": None, "p95": None, "p99": None, "p999": None, "max": None}
    row = Operation.model_validate(
        {"name": "chat", "kind": "http", "count": 6, "errors": 0, "rate_per_s": 2.0, "latency_ms": figures}
    )
    (chat,) = service_processes(lines, [row])
    assert (chat.processes, chat.cpu_cores, chat.calls_per_s, chat.requests_per_s) == (2, 0.4, 4.0, 2.0)
    (mean,) = mean_processes([[chat], [chat.model_copy(update={"cpu_cores": 0.8, "requests_per_s": None})]])
    assert (mean.processes, mean.cpu_cores, mean.requests_per_s) == (2, 0.6, 2.0)
