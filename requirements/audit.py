"""Whether a vulnerability of a pinned package is known: `make audit`.

Exit codes: 0 none is known, 1 some are, 3 nobody could be asked about all of them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
UNANSWERED = 3
_DEADLINE_S = 300


def verdict(report: Mapping[str, Any]) -> tuple[int, list[str]]:
    """The exit code for a report of pip-audit, and what is to be said."""
    packages = report["dependencies"]
    lines = [
        f"{one['name']} {one['version']}: {found['id']}, mended in {', '.join(found['fix_versions']) or 'none'}"
        for one in packages
        for found in one.get("vulns", ())
    ]
    if lines:
        return 1, lines
    unknown = [one["name"] for one in packages if "skip_reason" in one]
    if unknown or not packages:
        return UNANSWERED, [f"not audited, since the index told nothing about them: {', '.join(unknown) or 'anything'}"]
    return 0, [f"{len(packages)} packages, no vulnerability is known"]


def main() -> int:
    """Ask about everything that is locked."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(HERE / "all.txt"), "--require-hashes"]
    options = ["--disable-pip", "--format", "json", "--progress-spinner", "off"]
    try:
        done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=_DEADLINE_S)
        code, lines = verdict(json.loads(done.stdout))
    except subprocess.TimeoutExpired:
        code, lines = UNANSWERED, [f"not audited: no answer within {_DEADLINE_S} s"]
    except (ValueError, KeyError):
        code, lines = UNANSWERED, [f"not audited: {(done.stderr.strip().splitlines() or ['no answer'])[-1][:300]}"]
    sys.stdout.write("\n".join(lines) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
