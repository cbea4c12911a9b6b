"""`make coverage`: run the tests, one folder after another, and say for each room which part of its branches they take.

`FOLDERS` names folders below `tests` whose tests are run; what was measured of others before is kept, and is true as
long as the code is the same. All processes are measured: those that run tests, what they start, and what they fork,
with their threads and greenlets. Two are not: what is killed, and dbz's guard where it is started instead of forked,
because it runs without installed packages.

Once all folders have been measured, the table is written to ARCHITECTURE.md. The lines that no test reaches are in
`build/coverage/missing.txt`. The exit code is 1 when a test failed; the table comes nevertheless.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.coverage.rooms import lines_missing, measured_rooms, settings_for, table

_ROOT = Path(__file__).parents[2]
_TESTS = _ROOT / "tests"
_KEPT = _ROOT / "build" / "coverage"
_ARCHITECTURE = _ROOT / "ARCHITECTURE.md"


def main() -> int:
    """1 when a test failed."""
    every = sorted({path.relative_to(_TESTS).parts[0] for path in _TESTS.rglob("test_*.py")})
    _KEPT.mkdir(parents=True, exist_ok=True)
    failed = [name for name in os.environ.get("FOLDERS", "").split() or every if not _measured(name)]
    kept = [name for name in every if _data_of(name).exists()]
    rooms = measured_rooms(list(map(_data_of, kept)), _ROOT)
    (_KEPT / "missing.txt").write_text(lines_missing(rooms))
    if kept == every:
        _write(table(rooms))
    print(table(rooms))
    if failed:
        print(f"tests failed in {', '.join(failed)}")
    return bool(failed)


def _data_of(name: str) -> Path:
    return _KEPT / f"{name}.data"


def _measured(name: str) -> bool:
    """Run the tests of a folder, or a file, and keep what was measured; False when one failed."""
    print(f"tests/{name}", flush=True)
    with tempfile.TemporaryDirectory(prefix="coverage-") as folder:
        data, settings = Path(folder, "data"), Path(folder, "settings")
        settings.write_text(settings_for(data, _ROOT))
        how = ["-q", "-n", os.environ.get("TESTERS", "4"), "--dist", "loadfile", "--no-loadscope-reorder"]
        coverage = [sys.executable, "-m", "coverage"]
        run = subprocess.run(
            [*coverage, "run", f"--rcfile={settings}", "-m", "pytest", *how, "-p", "no:cacheprovider", f"tests/{name}"],
            cwd=_ROOT,
        )
        subprocess.run([*coverage, "combine", "-q", f"--rcfile={settings}"], cwd=_ROOT, check=True)
        shutil.move(data, _data_of(name))
    return run.returncode == 0


def _write(rooms: str) -> None:
    """Put the table in its place in ARCHITECTURE.md."""
    text = _ARCHITECTURE.read_text()
    before, begin, rest = text.partition("<!-- coverage -->\n")
    _, end, after = rest.partition("<!-- /coverage -->")
    _ARCHITECTURE.write_text(before + begin + rooms + end + after)


if __name__ == "__main__":
    sys.exit(main())
