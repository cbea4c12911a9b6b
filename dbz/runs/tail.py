"""Following a file that grows line by line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


class RecordTail:
    """The complete lines of a growing file, each once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def new_lines(self) -> Iterator[str]:
        """Lines that were completed since the last call; none while the file does not exist."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return
        complete = data[: data.rfind(b"\n") + 1]
        self._offset += len(complete)
        # Not splitlines(): error texts may hold U+2028 and its kin, which are no line ends here.
        yield from complete.decode(errors="replace").split("\n")[:-1]
