"""What the care of a phone app saves its server: the profile `phone` with all of it, and without each.

Each row is a load of its own against a fresh embedded stack, with the same seed: `dbz load phone --without … --each`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from dbz.report.words.care import CARE_COLUMNS, care_rows
from dbz.runs.schema import CareFigures

PHONES = os.environ.get("BENCH_PHONES", "150")
SECONDS = os.environ.get("BENCH_SECONDS", "30")
CARE = "debounce,etag,images,window,cache"


def main() -> None:
    """Run the loads, and print the table of the last one's report."""
    command = [str(Path(sys.executable).with_name("dbz")), "load", "phone", "--users", PHONES, "--json", "--each"]
    command += ["--duration", f"{SECONDS}s", "--budgets", "service", "--without", CARE]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([*command, "--out", folder], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    care = [CareFigures.model_validate(one) for one in json.loads(done.stdout)["care"]]
    print(f"{PHONES} phones, {SECONDS} s each")
    for row in (CARE_COLUMNS, *care_rows(care)):
        print(f"{row[0]:10}" + "".join(f"{cell:>22}" for cell in row[1:]))


if __name__ == "__main__":
    main()
