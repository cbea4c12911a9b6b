"""`dbz record` as a user runs it: started, used, and ended with Ctrl-C."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.children.processes import ended
from tests.cli.running import start_dbz


@dataclass
class Recorder:
    """A recording proxy that runs; its output is there once it has ended."""

    urls: list[str]
    """Where each user finds the server."""
    output: str = ""
    code: int | None = None
    lines: list[str] = field(default_factory=list)


@contextmanager
def recording(target: str, folder: Path, *options: str, users: int = 1) -> Iterator[Recorder]:
    """A recorder for the length of a block, then ended as by Ctrl-C."""
    command = ["record", "--target", target, "--users", str(users), *options]
    with ended(start_dbz(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)) as process:
        assert process.stdout is not None
        recorder = Recorder([])
        try:
            for line in process.stdout:
                recorder.lines.append(line)
                recorder.urls += re.findall(r"open (http://\S+)", line)
                if len(recorder.urls) == users:
                    break
            assert len(recorder.urls) == users, "".join(recorder.lines)
            yield recorder
            process.send_signal(signal.SIGINT)
            recorder.output, _ = process.communicate(timeout=30)
            recorder.code = process.returncode
        finally:
            process.kill()
