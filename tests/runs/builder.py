"""Makes the folder of a run that looks real, through the same writers that a load uses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from dbz.measure.budget.budgets import Budget, parse_budget
from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.interval_log import Interval
from dbz.measure.latency.series import ACK, COMPOSITE, CONNECT, DELIVERY, HTTP, SERVICE, Series
from dbz.runs.aggregate import COLLECTIONS, LAG
from dbz.runs.conclude import conclude
from dbz.runs.schema import Run
from dbz.runs.storage.folder import RunFolder, create_run_folder
from dbz.runs.storage.reading import read_record
from dbz.runs.storage.record import END, STEADY, IntervalFile, LineFile

STARTED = datetime(2026, 11, 23, 6, 54, 50, tzinfo=UTC)

BUDGETS: tuple[Budget, ...] = (
    parse_budget("app_launch_time", 'composite{name="app_launch"}', "p95", "< 3s"),
    parse_budget("page_load_time", 'composite{name="page_load"}', "p95", "< 2s"),
    parse_budget("api_response_time", "http", "p95", "< 500ms"),
    parse_budget("api_average_response", "http", "mean", "< 200ms"),
    parse_budget("database_query_time", "server.query", "p95", "< 100ms"),
    parse_budget("concurrent_users", "users.held", "min", ">= 500"),
    parse_budget("chat_message_latency", 'delivery{event="chat"}', "p95", "< 100ms"),
    parse_budget("game_score_update", 'delivery{event="score"}', "p95", "< 50ms"),
    parse_budget("notification_delivery", 'delivery{event="notification"}', "p95", "< 200ms"),
    parse_budget("mobile_memory_usage", "import.mobile_memory", "max", "< 150MB"),
    parse_budget("mobile_cpu_usage", "import.mobile_cpu", "mean", "< 30%"),
    parse_budget("server_memory_usage", "server.memory", "max", "< 4GB"),
    parse_budget("server_cpu_usage", "server.cpu", "mean", "< 70%"),
    parse_budget("uptime", "uptime", "rate", ">= 99.9%"),
    parse_budget("error_rate", "errors", "error_rate", "< 0.1%"),
)


@dataclass(frozen=True)
class Traffic:
    """One series: attempts a second over all workers, and the median of their log-normal latency."""

    series: Series
    per_s: float
    median_ms: float
    spread: float = 0.5


TRAFFIC = (
    Traffic(Series(HTTP, "GET /api/posts"), 60, 14),
    Traffic(Series(HTTP, "GET /api/posts/{id}"), 25, 6),
    Traffic(Series(HTTP, "POST /api/posts/{id}/like"), 8, 9),
    Traffic(Series(HTTP, "GET /api/games"), 30, 18),
    Traffic(Series(HTTP, "GET /api/rooms/{id}/messages"), 10, 7),
    Traffic(Series(HTTP, "GET /media/{id}"), 40, 3),
    Traffic(Series(SERVICE, "GET /api/posts"), 60, 13),
    Traffic(Series(COMPOSITE, "app_launch"), 2, 60),
    Traffic(Series(CONNECT, "socket"), 2, 11),
    Traffic(Series(ACK, "message:send"), 6, 5),
    Traffic(Series(DELIVERY, "chat"), 150, 22),
    Traffic(Series(DELIVERY, "score"), 90, 12),
)


@dataclass
class Scene:
    """What shall happen in a run; every second of it comes from the seed."""

    seconds: int = 30
    warmup_s: int = 5
    workers: int = 2
    users: int = 500
    traffic: Sequence[Traffic] = TRAFFIC
    slow: dict[str, float] = field(default_factory=dict)
    failing: dict[str, float] = field(default_factory=dict)
    error: str = "HTTP 503 Service Unavailable"
    lag_ms: float = 1.2
    gc_ms: float = 0.0
    cpu_percent: float = 38.0
    server: bool = True
    others: float = 0.03
    profile: str = "mixed"
    started: datetime = STARTED
    seed: int = 1

    def write(self, reports: Path, run_id: str = "20261123T065450Z-mixed-0001") -> RunFolder:
        """Write the record, and the `run.json` of a run that is still going on."""
        folder = create_run_folder(reports, run_id)
        random = Random(self.seed)
        for number in range(self.workers):
            self._write_worker(folder, number, random)
        self._write_marks(folder)
        if self.server:
            self._write_server(folder, random)
        self._write_machine(folder)
        folder.save(self.run(run_id))
        return folder

    def run(self, run_id: str) -> Run:
        """What is known when a run begins."""
        return Run(
            id=run_id,
            started=self.started.isoformat(),
            profile={"name": self.profile, "users": self.users, "duration_s": self.seconds - self.warmup_s},
            target="http://127.0.0.1:43117",
            embedded=True,
            seed=self.seed,
            versions={"dbz": "0.1.0", "python": "3.11.2", "locust": "2.47.0"},
            environment={"cpus": 2, "memory_bytes": 8_000_000_000, "system": "Linux 6.1"},
        )

    def _write_worker(self, folder: RunFolder, number: int, random: Random) -> None:
        intervals = IntervalFile(folder.path / f"worker-{number}.hlog", self.started.timestamp())
        lines = LineFile(folder.path / f"worker-{number}.jsonl")
        for second in range(self.seconds):
            found, failures = self._second(second, random)
            intervals.write(Interval(series, float(second), 1.0, one) for series, one in found.items())
            lines.write(self._line(second, found, failures, random))
        intervals.close()
        lines.close()

    def _second(self, second: int, random: Random) -> tuple[dict[Series, Histogram], dict[Series, int]]:
        found: defaultdict[Series, Histogram] = defaultdict(Histogram)
        failures: defaultdict[Series, int] = defaultdict(int)
        ramp = min(1.0, (second + 1) / (self.warmup_s or 1))
        for traffic in self.traffic:
            share = 0.0 if traffic.series.kind == SERVICE else self.failing.get(traffic.series.name, 0.0)
            median_ms = traffic.median_ms * self.slow.get(traffic.series.name, 1.0) * (1.4 - 0.4 * ramp)
            for _ in range(round(traffic.per_s * ramp / self.workers)):
                failed = random.random() < share
                failures[traffic.series] += failed
                series = traffic.series.as_failed() if failed else traffic.series
                found[series].record(round(median_ms * 1000 * random.lognormvariate(0, traffic.spread)))
        found[LAG].record(round(self.lag_ms * 1000 * random.uniform(0.2, 1)), 20)
        if self.gc_ms:
            found[COLLECTIONS].record(round(self.gc_ms * 1000))
        return found, failures

    def _line(
        self, second: int, found: dict[Series, Histogram], failures: dict[Series, int], random: Random
    ) -> dict[str, Any]:
        ramp = min(1.0, (second + 1) / (self.warmup_s or 1))
        deliveries = {
            series.name: [max(len(one) // 40, 1), len(one), len(one), 0, 0, 0]
            for series, one in found.items()
            if series.kind == DELIVERY and not series.failed
        }
        return {
            "t": second + 1.0,
            "users": round(self.users * ramp / self.workers),
            "cpu_percent": round(self.cpu_percent * ramp * random.uniform(0.9, 1.1), 1),
            "late": 0,
            "dropped": 0,
            "errors": [[one.kind, one.name, self.error, count] for one, count in failures.items() if count],
            "deliveries": deliveries,
            "answers": {
                series.name: _answers(one) for series, one in found.items() if series.kind == HTTP and not series.failed
            },
        }

    def _write_marks(self, folder: RunFolder) -> None:
        marks = LineFile(folder.marks)
        marks.write({"mark": STEADY, "t": float(self.warmup_s)})
        marks.write({"mark": END, "t": float(self.seconds)})
        marks.close()

    def _write_machine(self, folder: RunFolder) -> None:
        lines = LineFile(folder.machine)
        for second in range(self.seconds):
            line = {"t": second + 1.0, "dt": 1.0, "cores": 2, "own": 0.52, "steal": 0.0, "others": self.others}
            lines.write(line)
        lines.close()

    def _write_server(self, folder: RunFolder, random: Random) -> None:
        lines = LineFile(folder.server)
        for second in range(self.seconds):
            ramp = min(1.0, (second + 1) / (self.warmup_s or 1))
            lines.write(
                {
                    "t": second + 0.5,
                    "up": True,
                    "cpu_share": round(0.45 * ramp * random.uniform(0.85, 1.15), 4),
                    "memory_bytes": 310_000_000 + 400_000 * second,
                    "connections": round(0.8 * self.users * ramp),
                    "queries": {
                        "posts.list": {"counts": {"0.005": 20, "0.01": 8, "0.02": 2}, "sum_s": 0.15},
                        "games.list": {"counts": {"0.005": 10, "0.01": 5}, "sum_s": 0.07},
                    },
                }
            )
        lines.close()


def _answers(histogram: Histogram) -> list[float]:
    """What the record says of answers that took so long: one in fifty opened a connection, a tenth was for the body."""
    count, seconds = len(histogram), sum((low + high) / 2e6 * times for low, high, times in histogram.buckets())
    opened = count // 50
    return [count, round(seconds, 6), round(seconds / 10, 6), 2_100 * count, opened, 0.0004 * opened, 0.0021 * opened]


def build_run(
    reports: Path,
    scene: Scene | None = None,
    *,
    run_id: str = "20261123T065450Z-mixed-0001",
    budgets: Sequence[Budget] = BUDGETS,
    lost_workers: int = 0,
    interrupted: bool = False,
) -> RunFolder:
    """A run that was recorded, judged and saved."""
    folder = (scene or Scene()).write(reports, run_id)
    run = conclude(folder.load(), read_record(folder), budgets, lost_workers=lost_workers, interrupted=interrupted)
    folder.save(run)
    return folder
