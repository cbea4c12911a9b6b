"""Opening files of others, packed or not; what is wrong with one is said in one message."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from dbz.bounded import MB
from dbz.errors import UsageError

BOM = b"\xef\xbb\xbf"
"""What some programs write before a text."""
LONGEST_LINE = 64 * 1024
"""Of a log, in bytes; a longer one is broken."""
_ENDLESS = 64 * MB
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


def log_lines(file: BinaryIO, path: Path) -> Iterator[str | None]:
    """The lines of a log without space at their ends, as they are read; None for one that is too long.

    `UsageError` when there is no end of one: then it is no log.
    """
    first = True
    while data := file.readline(LONGEST_LINE + 1):
        if len(data) > LONGEST_LINE and not data.endswith(b"\n"):
            skipped = len(data)
            while data and not data.endswith(b"\n"):
                data = file.readline(LONGEST_LINE + 1)
                skipped += len(data)
                if skipped > _ENDLESS:
                    raise UsageError(f"{path} is no log: a line of it has more than {_ENDLESS // MB} MB", code="E026")
            yield None
        else:
            yield (data.removeprefix(BOM) if first else data).decode("utf-8", "replace").strip()
        first = False
