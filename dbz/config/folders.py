"""Where dbz keeps what must outlive a command, and files there that are nobody else's."""

from __future__ import annotations

import os
import stat
from pathlib import Path

_MOST_BYTES = 1_000_000


def state_dir() -> Path:
    """`$DBZ_STATE_DIR`, else `$XDG_STATE_HOME/dbz`, else `~/.local/state/dbz`."""
    chosen = os.environ.get("DBZ_STATE_DIR")
    if chosen:
        return Path(chosen)
    home = Path(os.environ.get("XDG_STATE_HOME", ""))
    return (home if home.is_absolute() else Path.home() / ".local" / "state") / "dbz"


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user may read or change, whole or not at all; OSError when that is impossible."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    draft.unlink(missing_ok=True)
    # O_EXCL: whoever may write to the folder could otherwise have put a link there that leads somewhere else.
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def read_private(path: Path) -> str:
    """What `write_private` wrote. OSError for anything that somebody else could have written: a file of another user,
    one that others may change, a link, a pipe. ValueError when it is no UTF-8 text, or far too long.
    """
    # O_NONBLOCK: to open a pipe that nobody writes to would wait for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
            raise PermissionError(f"{path} may have been written by somebody else")
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise ValueError(f"{path} is far too long")
    return content.decode()
