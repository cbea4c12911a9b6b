"""A program: what Locust itself writes of attempts, as JSON and as CSV. `python locust_writes.py FOLDER CASES.json`.

It is one of its own because Locust patches the standard library of the process that imports it. A case is a list of
attempts, each a time in ms (or null) and whether it failed.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

from locust.stats import PERCENTILES_TO_REPORT, RequestStats, StatsEntry, calculate_response_time_percentile

HEAD = (
    "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,"
    "Max Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%\n"
)


def entry_of(attempts: list[tuple[int | None, bool]]) -> StatsEntry:
    """One operation with these attempts."""
    stats = RequestStats()
    for time_ms, failed in attempts:
        stats.log_request("GET", "/a", time_ms, 1)
        if failed:
            stats.log_error("GET", "/a", "refused")
    entry: StatsEntry = stats.get("/a", "GET")
    entry.start_time, entry.last_request_timestamp = 1000.0, 1010.0
    return entry


def write(entry: StatsEntry, folder: Path, name: str) -> None:
    """Both forms of it."""
    rows = [dict(entry.serialize())]
    (folder / f"{name}.json").write_text(json.dumps(rows))
    timed = entry.num_requests - entry.num_none_requests
    points = [calculate_response_time_percentile(entry.response_times, timed, p) for p in PERCENTILES_TO_REPORT]
    figures = [entry.num_requests, entry.num_failures, entry.median_response_time, entry.avg_response_time]
    figures += [entry.min_response_time or 0, entry.max_response_time, 1, 10, 0, *points]
    with (folder / f"{name}_stats.csv").open("w", newline="") as out:
        out.write(HEAD)
        csv.writer(out).writerows([["GET", "/a", *figures], ["", "Aggregated", *figures]])


if __name__ == "__main__":
    for number, attempts in enumerate(json.loads(Path(sys.argv[2]).read_text())):
        write(entry_of(attempts), Path(sys.argv[1]), f"case-{number}")
