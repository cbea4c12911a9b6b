"""How many files, connections among them, a process may have open."""

from __future__ import annotations

import contextlib
import resource

_MOST = 1_048_576
"""What Linux allows unless told otherwise; asking for more is refused."""


def raise_open_files() -> int:
    """Let this process, and those it starts, open as many files as it may ask for; returns how many that are.

    The usual soft limit of 1,024 is less than a thousand users need.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], _MOST)
