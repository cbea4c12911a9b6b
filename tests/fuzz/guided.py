"""Fuzzing one reader, led by what its contents reach: `python -m tests.fuzz.guided NAME FOLDER MB [libFuzzer options]`.

`MB` is how much memory more than now the process may ever have. The system refuses more than that at once (Python's
`MemoryError` ends the fuzzing, with the content kept); libFuzzer's own limit looks once a second, and misses a peak.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["dbz"]):
    from tests.fuzz.targets import TARGETS


def hold_memory(more_mb: int) -> None:
    """Let this process have so much more memory than now, and no more."""
    lines = Path("/proc/self/status").read_text().splitlines()
    now_kb = int(next(line for line in lines if line.startswith("VmData")).split()[1])
    limit = (now_kb << 10) + (more_mb << 20)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def main() -> None:
    """Fuzz until the options say that it is enough; the corpus is kept in the folder."""
    name, folder, memory_mb, *options = sys.argv[1:]
    target = TARGETS[name]
    for number, seed in enumerate(target.seeds):
        Path(folder, f"seed-{number}").write_bytes(seed)
    atheris.Setup([sys.argv[0], *options, folder], target.try_out)
    hold_memory(int(memory_mb))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
