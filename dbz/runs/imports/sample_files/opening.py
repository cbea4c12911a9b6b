"""Opening files of samples, which are too large to be read at once."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from dbz.bounded import fault_of

_GZIP = b"\x1f\x8b"


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, compressed or not; `OSError` when it cannot be read, or is a pipe or a device."""
    if (fault := fault_of(path)) and path.exists():
        raise OSError(0, f"it {fault}")
    with path.open("rb") as raw:
        packed = raw.read(2) == _GZIP
    if packed:
        with gzip.open(path) as file:
            yield cast(BinaryIO, file)
    else:
        with path.open("rb") as file:
            yield file
