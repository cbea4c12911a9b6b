"""Who sees that a server hangs? 200 requests a second against a server that is silent one second in every five.

The truth: four fifths of the requests are answered at once, one fifth waits between 0 and 1 s, evenly spread. So the
p90 is 500 ms, the p95 750 ms and the p99 950 ms.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

RATE_PER_S = 200
SECONDS = 20
TRUTH_MS = {"p50": 0.0, "p90": 500.0, "p95": 750.0, "p99": 950.0}
LOCUST_FILE = """
from locust import FastHttpUser, constant_throughput, task

class Visitor(FastHttpUser):
    wait_time = constant_throughput(10)

    @task
    def visit(self):
        self.client.get("/")
"""


def dbz(url: str, folder: Path) -> dict[str, float]:
    """What dbz says of an open load."""
    options = ["--rate", f"{RATE_PER_S}/s", "--duration", f"{SECONDS}s", "--budgets", "none", "--json"]
    command = [sys.executable, "-m", "dbz.cli.main", "load", url, *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    (operation,) = json.loads(done.stdout)["operations"]
    return {name: operation["latency_ms"][name] for name in TRUTH_MS}


def locust(url: str, folder: Path) -> dict[str, float]:
    """What Locust says with ten requests a second from each of 20 users, twenty times what the fast answers need."""
    (folder / "locustfile.py").write_text(LOCUST_FILE)
    options = ["--headless", "-u", str(RATE_PER_S // 10), "-r", str(RATE_PER_S), "-t", f"{SECONDS}s", "--host", url]
    command = [sys.executable, "-m", "locust", "-f", "locustfile.py", *options, "--json-file", "found"]
    subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    counts = {int(ms): n for ms, n in json.loads((folder / "found.json").read_text())[0]["response_times"].items()}
    return {name: _percentile(counts, float(name[1:])) for name in TRUTH_MS}


def _percentile(counts: dict[int, int], percent: float) -> float:
    seen, rank = 0, percent / 100 * sum(counts.values())
    for value in sorted(counts):
        seen += counts[value]
        if seen >= rank:
            return float(value)
    return 0.0


def main() -> None:
    """Measure both, one after the other, and print them beside the truth."""
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("truth_server.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
    with tempfile.TemporaryDirectory() as name:
        found = {"dbz": dbz(url, Path(name)), "Locust": locust(url, Path(name))}
    server.stdin.close()
    server.wait(10)
    print(f"server silent 1 s in every 5, {RATE_PER_S} requests/s for {SECONDS} s; milliseconds")
    print(f"{'':8}" + "".join(f"{name:>10}" for name in TRUTH_MS))
    for who, figures in {"truth": TRUTH_MS, **found}.items():
        print(f"{who:8}" + "".join(f"{figures[name]:10.0f}" for name in TRUTH_MS))
    for who, figures in found.items():
        ratios = (figures[name] / TRUTH_MS[name] for name in ("p90", "p95", "p99"))
        print(f"{who + ' / truth':16}  " + "  ".join(f"{ratio:8.3f}" for ratio in ratios))


if __name__ == "__main__":
    main()
