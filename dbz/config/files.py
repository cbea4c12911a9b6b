"""Files that a user names."""

from __future__ import annotations

import stat
from pathlib import Path

from dbz.errors import UsageError

_LONGEST = 200


def fault_of(path: Path) -> str:
    """Why a path is not that of a file, for the end of a sentence about it; empty when it is.

    A pipe would be waited for, and a device has no end: neither is ever opened.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL in the name
        return "does not exist"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if stat.S_ISDIR(mode):
        return "is a folder"
    return "" if stat.S_ISREG(mode) else "is a pipe or a device"


def existing_file(kind: str, text: str | Path, *, hint: str = "") -> Path:
    """The file at a path; `UsageError` when there is none, which calls it a `kind` file."""
    fault = fault_of(Path(text))
    if fault:
        shown = str(text)
        raise UsageError(
            f"{kind} file '{shown[:_LONGEST]}{'…' * (len(shown) > _LONGEST)}' {fault}", hint=hint, code="E005"
        )
    return Path(text)
