"""Files that a user names."""

from __future__ import annotations

from pathlib import Path

from dbz.bounded import fault_of
from dbz.errors import UsageError

_LONGEST = 200


def existing_file(kind: str, text: str | Path, *, hint: str = "") -> Path:
    """The file at a path; `UsageError` when there is none, which calls it a `kind` file."""
    fault = fault_of(Path(text))
    if fault:
        shown = str(text)
        raise UsageError(
            f"{kind} file '{shown[:_LONGEST]}{'…' * (len(shown) > _LONGEST)}' {fault}", hint=hint, code="E005"
        )
    return Path(text)
