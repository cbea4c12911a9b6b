"""Following a file that grows line by line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

LONGEST_LINE = 16 << 20
"""In bytes."""
_TOO_LONG = "\ufffd"
"""Comes in the place of a longer line: no reader takes it for a line of its own."""
_CHUNK_BYTES = 1 << 20


class RecordTail:
    """The complete lines of a growing file, each once, in bounded memory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._skipping = False
        """Whether the line at the offset is the rest of one that is too long."""

    def new_lines(self) -> Iterator[str]:
        """Lines that were completed since the last call; none while the file does not exist."""
        begun = b""
        for data in self._new_chunks():
            end = data.find(b"\n") + 1
            if self._skipping:
                self._offset += end or len(data)
                if not end:
                    continue
                self._skipping, data = False, data[end:]
                yield _TOO_LONG
            complete = data.rfind(b"\n") + 1
            whole, begun = (begun + data[:complete], data[complete:]) if complete else (b"", begun + data)
            self._offset += len(whole)
            # Not splitlines(): error texts may hold U+2028 and its kin, which are no line ends here.
            yield from whole.decode(errors="replace").split("\n")[:-1]
            if len(begun) > LONGEST_LINE:
                self._offset += len(begun)
                self._skipping, begun = True, b""

    def _new_chunks(self) -> Iterator[bytes]:
        """What was written since the last call, up to where the file ends now: it may grow faster than it is read."""
        try:
            with self._path.open("rb") as file:
                left = file.seek(0, os.SEEK_END) - self._offset
                file.seek(self._offset)
                while left > 0 and (data := file.read(min(left, _CHUNK_BYTES))):
                    left -= len(data)
                    yield data
        except FileNotFoundError:
            return
