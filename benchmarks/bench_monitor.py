"""What `dbz monitor` costs, how large a month of it is, how long a report and a replay of it take, and how good its
trends and changes are.

`BENCH_MONITOR_PARTS=watching,month,judging,replay` chooses parts.
"""

from __future__ import annotations

import os
import sys

import monitor_judging
import monitor_month
import monitor_replay
import monitor_watching

PARTS = {
    "watching": monitor_watching.measure,
    "month": monitor_month.measure,
    "judging": monitor_judging.judge,
    "replay": monitor_replay.measure,
}


def main() -> None:
    """Measure and print; exit code 1 when a budget does not hold."""
    chosen = os.environ.get("BENCH_MONITOR_PARTS", ",".join(PARTS)).split(",")
    held = {name: PARTS[name]() for name in chosen}
    missed = [name for name, good in held.items() if not good]
    print("\nall budgets hold" if not missed else f"\nnot held: {', '.join(missed)}")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
