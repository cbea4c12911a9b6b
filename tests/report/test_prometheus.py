"""The Prometheus endpoint of a running load, and the dashboard that reads it."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dbz.errors import UsageError
from dbz.report.live.prometheus import MetricsEndpoint
from dbz.runs.storage.folder import RunFolder
from dbz.runs.storage.reading import read_record
from tests.report.test_live import growing
from tests.runs.builder import BUDGETS

DASHBOARD = Path(__file__).parents[2] / "docs" / "grafana" / "dbz.json"


def scraped(endpoint: MetricsEndpoint) -> dict[str, dict[tuple[str, ...], float]]:
    """By sample name: the values by their labels' values."""
    with urlopen(f"http://127.0.0.1:{endpoint.port}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def test_counters_only_grow_and_end_at_what_the_record_holds(broken: RunFolder) -> None:
    record = read_record(broken)
    with MetricsEndpoint("127.0.0.1", 0, BUDGETS) as endpoint:
        before: dict[tuple[str, ...], float] = {}
        for at, part in enumerate(growing(broken)):
            endpoint.update(part)
            if at % 4 == 0:
                now = scraped(endpoint).get("dbz_attempts_total", {})
                assert all(now[key] >= count for key, count in before.items())
                before = now
        final = scraped(endpoint)
    posts = [one for one in record.intervals if (one.series.kind, one.series.name) == ("http", "GET /api/posts")]
    for outcome, failed in (("ok", False), ("failed", True)):
        total = sum(len(one.histogram) for one in posts if one.series.failed is failed)
        assert final["dbz_attempts_total"]["http", "GET /api/posts", outcome] == total
    assert (
        final["dbz_latency_seconds_count"]["http", "GET /api/posts"]
        == final["dbz_attempts_total"]["http", "GET /api/posts", "ok"]
    )
    assert final["dbz_attempts_total"]["http", "GET /api/games", "failed"] == 0
    assert final["dbz_users"][()] == 500
    assert final["dbz_budget_broken"]["chat_message_latency",] == 1
    assert final["dbz_budget_limit"]["chat_message_latency",] == 100


def test_a_port_that_is_taken_is_one_clear_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UsageError, match="cannot serve metrics on"):
        MetricsEndpoint("127.0.0.1", taken.getsockname()[1], []).__enter__()


def test_the_dashboard_asks_only_for_what_there_is(broken: RunFolder) -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked += [variable["query"] for variable in dashboard["templating"]["list"] if variable["type"] == "query"]
    shown = [target.get("legendFormat", "") for panel in dashboard["panels"] for target in panel["targets"]]
    with MetricsEndpoint("127.0.0.1", 0, BUDGETS) as endpoint:
        endpoint.update(read_record(broken))
        families = list(endpoint.collect())
    samples = [sample for family in families for sample in family.samples]
    assert set(re.findall(r"dbz_\w+", " ".join(asked))) <= {sample.name for sample in samples}
    labels = {name for sample in samples for name in sample.labels}
    used = re.findall(r"by \(([^)]*)\)", " ".join(asked)) + re.findall(r"{{(\w+)}}", " ".join(shown))
    used += re.findall(r"(\w+)=~?\"", " ".join(asked))
    assert {name for names in used for name in names.split(", ")} <= labels
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
