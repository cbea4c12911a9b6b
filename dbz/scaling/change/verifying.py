"""Verifying a change by a load run: `dbz load` as a program, judged by its exit code."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from dbz.children import python_module
from dbz.errors import DbzError, DependencyError, ExitCode, InvalidRunError, UsageError, VerificationError

_ERRORS: dict[int, tuple[type[DbzError], str]] = {
    ExitCode.BROKEN: (VerificationError, "broke a budget"),
    ExitCode.USAGE: (UsageError, "could not be started"),
    ExitCode.UNREACHABLE: (DependencyError, "could not reach its target"),
    ExitCode.INVALID: (InvalidRunError, "was not valid, so nothing is verified"),
}


def verify_by_load(profile: str, target: str, reports: Path, say: Callable[[str], None]) -> None:
    """Run a profile against `target`; raises with the run's own exit code unless it passes.

    The run's lines and tables go to standard error: standard output belongs to the command.
    """
    command = python_module("dbz.cli.main", "load", profile, "--out", str(reports), "--no-live")
    if target:
        command += ["--target", target]
    say(f"verifying: dbz load {profile}{f' --target {target}' if target else ''}")
    code = subprocess.run(command, stdout=sys.stderr, check=False).returncode
    if code == ExitCode.OK:
        return
    if code == ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    kind, what = _ERRORS.get(code, (DbzError, f"ended with code {code}"))
    raise kind(f"the verifying run of '{profile}' {what}")
