"""Programs that tests start and go on beside, which need not import `dbz` anew."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from pathlib import Path
from typing import Any

from tests.children.forkserver import Job, forkserver


class ForkedProgram(subprocess.Popen[Any]):
    """`dbz` as `subprocess.Popen` starts it and with all that this can do, but forked instead of executed.

    It is a child of the process that forked it, in its session, and the kernel still shows the environment of that: who
    looks for processes by such things starts `dbz` itself.
    """

    def _execute_child(self, args: list[str], *how: Any) -> None:
        """Called by `Popen` when the pipes are there."""
        cwd, env, pipes = how[4], how[5], how[9:15]
        its_input, _, _, its_output, _, its_errors = pipes
        streams = [mine if given == -1 else given for mine, given in enumerate((its_input, its_output, its_errors))]
        try:
            job = Job("dbz.cli.main", args, dict(os.environ if env is None else env), str(cwd or Path.cwd()))
            self.pid, self._told = forkserver().start(job, streams)
            self._child_created = True
        finally:
            self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]

    def _internal_poll(self, *_how: Any, **_more: Any) -> int | None:
        return self._ended_within(0)

    def _wait(self, timeout: float | None) -> int:
        code = self._ended_within(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def _ended_within(self, timeout_s: float | None) -> int | None:
        if self.returncode is None and select.select([self._told], [], [], timeout_s)[0]:
            with self._waitpid_lock:  # type: ignore[attr-defined]
                if self.returncode is None:  # nothing: who forked it was killed
                    self.returncode = int(self._told.recv(100) or -signal.SIGKILL)
                    self._told.close()
        return self.returncode
