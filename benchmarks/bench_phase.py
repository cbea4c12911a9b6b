"""What one small machine carries, generator included: phase_3 of the plan; and both chat policies under one load.

Each line is a `dbz load` as a user would run it, on the embedded stack. `BENCH_PHASE_SECONDS` is the judged part;
`BENCH_PHASE_NEIGHBOUR=0.5` has another process burn that share of a core meanwhile.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SECONDS = int(os.environ.get("BENCH_PHASE_SECONDS", "60"))
NEIGHBOUR = float(os.environ.get("BENCH_PHASE_NEIGHBOUR", "0"))
CHAT_SECONDS = 30
CHAT_USERS = 250
DBZ = str(Path(sys.executable).with_name("dbz"))
_PROFILE = """\
schema: dbz.profile/1
name: chat {policy}
scenario: chat
users: {users}
duration: {seconds}s
budgets: chat.yaml
stack: {{clubs: 1, policy: {policy}}}
"""
_BURN = """
import os, sys, time
share, parent, turn_s = float(sys.argv[1]), int(sys.argv[2]), 0.02
while os.getppid() == parent:
    end_s = time.monotonic() + turn_s
    while time.monotonic() < end_s - turn_s * (1 - share):
        pass
    time.sleep(max(end_s - time.monotonic(), 0))
"""
_BUDGETS = """\
schema: dbz.budgets/1
budgets:
  - {name: chat_message_latency, of: "delivery{event=chat}", stat: p95, limit: "< 100ms"}
"""


def load(folder: str, *arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the conclusion of a run."""
    command = [DBZ, "load", *arguments, "--json", "--no-live", "--out", folder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS + 300)
    if not done.stdout:
        raise SystemExit(f"{' '.join(command)} ended with code {done.returncode}:\n{done.stderr[-2000:]}")
    return done.returncode, json.loads(done.stdout)


@contextmanager
def neighbour(share: float) -> Iterator[None]:
    """Another process that burns a share of a core."""
    if not share:
        yield
        return
    burning = subprocess.Popen([sys.executable, "-c", _BURN, str(share), str(os.getpid())])
    try:
        yield
    finally:
        burning.kill()
        burning.wait()


def phase(folder: str) -> None:
    """All budgets of phase_3, and what it was."""
    with neighbour(NEIGHBOUR):
        code, run = load(folder, "--phase", "phase_3", "--duration", f"{SECONDS}s")
    server, http = run["server"], sum(one["rate_per_s"] for one in run["operations"] if one["kind"] == "http")
    print(
        f"\nphase_3 for {SECONDS} s, {NEIGHBOUR:g} of a core burnt by another: exit {code}, {run['verdict']}; "
        f"{server['connections']:,.0f} sockets, {http * 60:,.0f} API requests a minute, "
        f"server {server['memory_bytes'] / 1e6:,.0f} MB in all"
    )
    for one in run["budgets"]:
        if one["value"] is not None:
            limit = f"{one['op']} {one['limit']:g} {one['unit']}"
            print(f"  {one['verdict']:12} {one['name']:24} {one['value']:>12,.4g} {one['unit']:4} {limit}")
    for reason in run["reasons"]:
        print(f"  {reason}")


def policies(folder: str) -> None:
    """The tuned batching and the plan's, under the same chat."""
    print(f"\n{CHAT_USERS} chat members in one room, {CHAT_SECONDS} s; chat_message_latency is p95 < 100 ms")
    (Path(folder) / "chat.yaml").write_text(_BUDGETS)
    for policy in ("tuned", "plan"):
        profile = Path(folder) / f"{policy}.yaml"
        profile.write_text(_PROFILE.format(policy=policy, users=CHAT_USERS, seconds=CHAT_SECONDS))
        code, run = load(folder, str(profile))
        (latency,) = (one["latency_ms"] for one in run["operations"] if one["name"] == "chat")
        figures = "  ".join(f"{name} {latency[name]:.1f} ms" for name in ("p50", "p95", "p99"))
        print(f"  {policy:6} exit {code}  {figures}", flush=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="dbz-bench-") as runs:
        policies(runs)
        phase(runs)
