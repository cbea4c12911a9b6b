"""Opening files of others, packed or not; what is wrong with one is said in one message."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from dbz.errors import UsageError

BOM = b"\xef\xbb\xbf"
"""What some programs write before a text."""
_GZIP = b"\x1f\x8b"


@contextmanager
def unpacked(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file; `UsageError` when it cannot be read, also in the midst of it."""
    try:
        if not path.is_file():
            raise UsageError(f"{path} is not a file" if path.exists() else f"{path} does not exist", code="E005")
        with path.open("rb") as file:
            packed = file.read(len(_GZIP)) == _GZIP
            file.seek(0)
            yield cast(BinaryIO, gzip.GzipFile(fileobj=file)) if packed else file
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UsageError(f"{path} is a damaged gzip file: {error}", code="B002") from error
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}", code="E005") from error
