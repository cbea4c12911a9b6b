"""Verifying a change by a load run: `dbz load` as a program, judged by its exit code."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dbz.children import python_module
from dbz.errors import DbzError, DependencyError, ExitCode, InvalidRunError, UsageError, VerificationError

_ERRORS: dict[int, tuple[type[DbzError], str, str]] = {
    ExitCode.BROKEN: (VerificationError, "broke a budget", "S030"),
    ExitCode.USAGE: (UsageError, "could not be started", "S031"),
    ExitCode.UNREACHABLE: (DependencyError, "could not reach its target", "S032"),
    ExitCode.INVALID: (InvalidRunError, "was not valid, so nothing is verified", "S033"),
}


@dataclass(frozen=True)
class VerifyingRun:
    """A run of `dbz load` against the changed service."""

    profile: str
    target: str
    """The app's URL."""
    reports: Path
    """The folder that gets the run's folder."""
    phase: str = ""
    """The phase whose users, connections and requests it has; empty: the profile's own."""
    phases: str = "default"
    """The file of the scaling plan with that phase."""
    duration: str = ""
    """Of its judged part, like 30s; empty: the profile's own."""

    def arguments(self) -> list[str]:
        """What `dbz` is given."""
        phase = ["--phase", self.phase, "--phases", self.phases] if self.phase else []
        duration = ["--duration", self.duration] if self.duration else []
        return ["load", self.profile, *phase, *duration, "--target", self.target]

    def check(self, say: Callable[[str], None]) -> None:
        """Run it; raises with the run's own exit code unless it passes.

        The run's lines and tables go to standard error: standard output belongs to the command.
        """
        say(f"verifying: dbz {' '.join(self.arguments())}")
        command = python_module("dbz.cli.main", *self.arguments(), "--out", str(self.reports), "--no-live")
        code = subprocess.run(command, stdout=sys.stderr, check=False).returncode
        if code == ExitCode.OK:
            return
        if code == ExitCode.INTERRUPTED:
            raise KeyboardInterrupt
        kind, what, error_code = _ERRORS.get(code, (DbzError, f"ended with code {code}", "E023"))
        whose = f"{self.profile} with the load of {self.phase}" if self.phase else self.profile
        raise kind(f"the verifying run of '{whose}' {what}", code=error_code)
