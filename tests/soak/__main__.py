"""`make soak`: half an hour of load with kills, or SECONDS of the environment. What is wrong ends it with 1."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from tests.soak.soaking import soak


def main() -> int:
    """1 when something was wrong, else 0; the folder with the run and all logs is kept then."""
    folder = Path(tempfile.mkdtemp(prefix="dbz-soak-"))
    wrong = soak(folder, int(os.environ.get("SECONDS", "1800")), lambda line: print(line, flush=True))
    for line in wrong:
        print(f"WRONG: {line}")
    print(f"{'FAILED' if wrong else 'flat, complete, nothing left behind'}; {folder}")
    return min(len(wrong), 1)


if __name__ == "__main__":
    sys.exit(main())
