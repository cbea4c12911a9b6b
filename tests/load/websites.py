"""Starting the website of the tests, and the mark of tests that need a browser."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dbz.children import Child, free_port, wait_until
from dbz.load.pages.browser import PROGRAMS
from tests.load.socketio_servers import listens

needs_browser = pytest.mark.skipif(
    # Where all that tests need is installed, a browser that is missing is a failure.
    not (any(map(shutil.which, PROGRAMS)) or os.environ.get("CI")),
    reason="needs Debian's package chromium",
)


@contextmanager
def website(log: Path) -> Iterator[str]:
    """The site of `website.py` for the length of a block: its URL."""
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--port", str(port), "--no-ws"]
    with Child("website", [*command, "tests.load.website:app"], log=log, grace_s=1) as child:
        wait_until(lambda: listens(port), child, deadline_s=20, what="website")
        yield f"http://127.0.0.1:{port}"
