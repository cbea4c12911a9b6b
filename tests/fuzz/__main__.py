"""`make fuzz`: every reader for minutes, led by coverage; what one of them stumbles over is kept and said.

`SECONDS` of the environment is how long each reader is fuzzed (600), `NAMES` which ones, comma-separated (all).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.targets import TARGETS

_MEMORY_MB = 100
"""How much more than a process that has read nothing one may take."""
_LONGEST_S = 20


def base_mb() -> int:
    """The memory of a process that has read nothing."""
    script = "import tests.fuzz.guided, psutil; print(psutil.Process().memory_info().rss >> 20)"
    return int(
        subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.split()[-1]
    )


def main() -> int:
    """The number of readers that stumbled."""
    names = [name for name in os.environ.get("NAMES", "").split(",") if name] or list(TARGETS)
    seconds = int(os.environ.get("SECONDS", "600"))
    limit_mb = base_mb() + _MEMORY_MB
    stumbled = 0
    for name in names:
        kept = Path(tempfile.mkdtemp(prefix=f"fuzz-{re.sub(r'[^a-z]+', '-', name)}-"))
        corpus = kept / "corpus"
        corpus.mkdir()
        options = [f"-max_total_time={seconds}", f"-timeout={_LONGEST_S}", f"-rss_limit_mb={limit_mb}"]
        options += ["-max_len=60000", f"-artifact_prefix={kept}/", "-verbosity=0", "-print_final_stats=1"]
        done = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.guided", name, str(corpus), str(_MEMORY_MB), *options],
            capture_output=True,
            text=True,
        )
        units = re.search(r"number_of_executed_units: (\d+)", done.stderr)
        print(
            f"{name:>15}  {units[1] if units else '?':>9} contents  {'stumbled' if done.returncode else 'fine'}",
            flush=True,
        )
        if done.returncode:
            stumbled += 1
            print("\n".join(done.stderr.splitlines()[-40:]), f"\nkept in {kept}", flush=True)
    return stumbled


if __name__ == "__main__":
    sys.exit(min(main(), 1))
