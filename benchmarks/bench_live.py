"""What the live view costs: the CPU of `dbz load` itself while it shows the bundled mixed load, and with plain lines.

The process that shows also follows the record and judges the budgets each second, with a live view or without; the
difference is what drawing costs. Generator, server and stores are other processes and not counted.
"""

from __future__ import annotations

import os
import statistics

from live_view import shown

SECONDS = int(os.environ.get("BENCH_SECONDS", "10"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "2"))
_WARMUP_S = 4
_SETTLE_S = 14.0  # the stack comes up, the users start, the warm-up passes
_BUDGET = 0.05


def main() -> None:
    """Measure in turn, print both and the difference."""
    load = ["mixed", "--users", "200", "--warmup", f"{_WARMUP_S}s", "--duration", f"{SECONDS + 12}s"]
    live, plain = [], []
    for _ in range(ROUNDS):
        live.append(shown(load, SECONDS, _SETTLE_S).of_core)
        plain.append(shown([*load, "--no-live"], SECONDS, _SETTLE_S).of_core)
    whole, without = statistics.median(live), statistics.median(plain)
    print(f"\ndbz load mixed, 200 users: the process that shows, of a core ({ROUNDS} rounds of {SECONDS} s)")
    print(
        f"  with the live view {whole:.1%}, with plain lines {without:.1%}; the live view's own {whole - without:.1%}"
    )
    print(f"  the whole is to stay under {_BUDGET:.0%}: {'it does' if whole < _BUDGET else 'IT DOES NOT'}")


if __name__ == "__main__":
    main()
