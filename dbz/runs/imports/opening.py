"""Opening files of samples, which are too large to be read at once."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

_GZIP = b"\x1f\x8b"


@contextmanager
def opened(path: Path) -> Iterator[TextIO]:
    """A file of text in UTF-8, compressed or not, with or without a byte order mark."""
    with path.open("rb") as raw:
        packed = raw.read(2) == _GZIP
    if packed:
        with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
            yield file
    else:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file
