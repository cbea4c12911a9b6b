"""Locust and dbz run the same Locust files: `python -m tests.load.locust_agreement` prints whether they agree.

Both load the same two servers, which count what they are asked. Every user of the files does a fixed number of things,
so that both tools must count the same; what random choices decide is compared in sum.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from dbz.measure.latency.series import HTTP, OTHER, UNTIMED
from dbz.runs.storage.folder import RunFolder
from dbz.runs.storage.reading import read_record

FILES = Path(__file__).with_name("locust_files")
NAMES = tuple(sorted(path.stem for path in FILES.glob("[!_]*.py")))
TOLERANCE = 0.03
USERS = 4
SECONDS = 30
"""At most: a run ends when its last user has done everything."""
_BUDGETS = """\
schema: dbz.budgets/1
budgets:
  - {name: error_rate, of: errors, stat: error_rate, limit: "< 0.1%", required: true}
"""
"""Locust knows no latency budget, and neither tool is to be judged by how busy the machine is."""
_VARIABLES = {"tags": {"LOCUST_TAGS": "fast"}, "options": {"LOCUST_STOP_TIMEOUT": "5"}}


class _Counting(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer everything but /missing, and count it."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        if path not in ("/healthz", "/metrics"):
            self.server.hits[path] += 1  # type: ignore[attr-defined]
        body = b'{"ok": 1}'
        self.send_response(404 if path in ("/missing", "/healthz", "/metrics") else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_GET

    def log_message(self, *_: object) -> None:
        """Silent."""


@contextmanager
def counting_server() -> Iterator[ThreadingHTTPServer]:
    """A server with `hits` by path."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Counting)
    server.daemon_threads = True
    server.hits = Counter()  # type: ignore[attr-defined]
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Outcome:
    """What one tool says of a file, and what the servers say."""

    exit_code: int
    requests: int = 0
    failures: int = 0
    names: frozenset[str] = frozenset()
    hits: tuple[int, int] = (0, 0)
    """What each of the two servers was asked."""
    output: str = field(default="", compare=False)

    @property
    def hosts(self) -> tuple[bool, bool]:
        """Which of the servers were loaded."""
        return (self.hits[0] > 0, self.hits[1] > 0)


def by_locust(name: str, folder: Path) -> Outcome:
    """`locust --headless`."""
    stats = folder / "stats.json"
    command = [sys.executable, "-m", "locust", "--headless", "-f", str(FILES / f"{name}.py"), "-u", str(USERS)]
    command += ["-r", "100", "-t", f"{SECONDS}s", "--json-file", str(folder / "stats")]
    outcome, rows = _run(name, command, folder), []
    if stats.exists():
        rows = json.loads(stats.read_text())
    outcome.requests = sum(row["num_requests"] for row in rows)
    outcome.failures = sum(row["num_failures"] for row in rows)
    outcome.names = frozenset(f"{row['method']} {row['name']}" for row in rows)
    return outcome


def by_dbz(name: str, folder: Path, workers: int = 1) -> Outcome:
    """`dbz load`, by the errors alone. Where the machine stood still, which makes a run invalid, it is made again."""
    for attempt in range(3):
        outcome = _by_dbz(name, folder / f"attempt-{attempt}", workers)
        if "stood still" not in outcome.output:
            break
    return outcome


def _by_dbz(name: str, folder: Path, workers: int) -> Outcome:
    folder.mkdir(parents=True)
    (folder / "budgets.yaml").write_text(_BUDGETS)
    command = [sys.executable, "-m", "dbz.cli.main", "load", str(FILES / f"{name}.py"), "--users", str(USERS)]
    command += ["--no-live", "--out", str(folder / "reports"), "--workers", str(workers)]
    command += ["--budgets", str(folder / "budgets.yaml")]
    if name != "shape":
        command += ["--duration", f"{SECONDS}s", "--warmup", "0s"]
    outcome = _run(name, command, folder)
    for path in (folder / "reports").glob("*/run.json"):
        for interval in read_record(RunFolder(path.parent)).intervals:
            if interval.series.kind in (HTTP, OTHER, UNTIMED):
                count = len(interval.histogram)
                outcome.requests += count
                outcome.failures += count * interval.series.failed
                outcome.names |= {interval.series.name}
    return outcome


def _run(name: str, command: Sequence[str], folder: Path) -> Outcome:
    with counting_server() as first, counting_server() as second:
        urls = [f"http://127.0.0.1:{server.server_port}" for server in (first, second)]
        target = [] if name == "hosts" else ["--host" if "locust" in command else "--target", urls[0]]
        env = {**os.environ, "NO_COLOR": "1", "FIRST_URL": urls[0], "SECOND_URL": urls[1], **_VARIABLES.get(name, {})}
        done = subprocess.run(
            [*command, *target], cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False
        )
        hits = (first.hits.total(), second.hits.total())  # type: ignore[attr-defined]
    return Outcome(done.returncode, hits=hits, output=done.stdout[-3000:] + done.stderr[-4000:])


def by_both(name: str, folder: Path) -> tuple[Outcome, Outcome]:
    """Locust's outcome and that of dbz, side by side: most of the time both only wait."""
    (folder / "locust").mkdir(parents=True)
    with ThreadPoolExecutor(2) as pool:
        locust = pool.submit(by_locust, name, folder / "locust")
        dbz = pool.submit(by_dbz, name, folder / "dbz")
        return locust.result(), dbz.result()


def disagreement(name: str, locust: Outcome, dbz: Outcome) -> str:
    """In what two outcomes differ; empty when they agree."""
    found = []
    for what, one, other in (
        ("requests", locust.requests, dbz.requests),
        ("failures", locust.failures, dbz.failures),
        ("hits of the server", sum(locust.hits), sum(dbz.hits)),
    ):
        # Where chance decides what a user does, or who is asked to stop first, a few things more or fewer are done.
        slack = max(TOLERANCE * one, 4 if name in ("judged", "nested", "rest", "quits", "own_client", "shape") else 0)
        if name not in ("seeding_fails", "raises", "exits") and abs(one - other) > slack:
            found.append(f"{what} {one} / {other}")
    if name != "seeding_fails" and locust.hosts != dbz.hosts:
        found.append(f"hosts {locust.hosts} / {dbz.hosts}")
    if name not in ("seeding_fails", "exits") and locust.names != dbz.names:  # Locust ends before
        found.append(f"names {sorted(locust.names ^ dbz.names)}")
    if bool(locust.exit_code) != bool(dbz.exit_code):
        found.append(f"exit codes {locust.exit_code} / {dbz.exit_code}")
    return ", ".join(found)


def main() -> int:
    """Print the table."""
    print(f"{'file':<15} {'requests':>13} {'failures':>11} {'exit':>7} {'servers asked':>23}  agree")
    wrong = 0
    for name in sys.argv[1:] or NAMES:
        with tempfile.TemporaryDirectory() as folder:
            locust, dbz = by_both(name, Path(folder))
        text = disagreement(name, locust, dbz)
        wrong += bool(text)
        asked = f"{locust.hits} {dbz.hits}"
        counts = f"{locust.requests:>6}/{dbz.requests:<6} {locust.failures:>5}/{dbz.failures:<5}"
        print(f"{name:<15} {counts} {locust.exit_code:>3}/{dbz.exit_code:<3} {asked:>23}  {text or 'yes'}", flush=True)
        if text and os.environ.get("SHOW"):
            print(locust.output, dbz.output)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
