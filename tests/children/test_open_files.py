"""The limit on open files."""

from __future__ import annotations

import subprocess
import sys

_SCRIPT = """
import resource
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
from dbz.children import raise_open_files
allowed = raise_open_files()
assert allowed == resource.getrlimit(resource.RLIMIT_NOFILE)[0], allowed
held = [open("/dev/null") for _ in range(200)]
print(allowed)
"""


def test_a_process_may_open_as_many_files_as_it_can_ask_for() -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 200
