"""Where dbz keeps what must outlive a command."""

from __future__ import annotations

import os
from pathlib import Path


def state_dir() -> Path:
    """`$DBZ_STATE_DIR`, else `$XDG_STATE_HOME/dbz`, else `~/.local/state/dbz`."""
    chosen = os.environ.get("DBZ_STATE_DIR")
    if chosen:
        return Path(chosen)
    home = Path(os.environ.get("XDG_STATE_HOME", ""))
    return (home if home.is_absolute() else Path.home() / ".local" / "state") / "dbz"
