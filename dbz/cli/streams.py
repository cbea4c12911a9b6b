"""Standard output and error that nothing can stop: whoever reads them may go away, and disks may fill.

What a command has found out is in its exit code and its files; that it could not be printed must change neither. So
errors of these two streams end where they happen, and are told at the end of the command.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import TextIO


class _TolerantFile(io.FileIO):
    """A file descriptor that takes everything; after the first error it drops what is written to it."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.problem: OSError | None = None

    def write(self, data) -> int:  # type: ignore[no-untyped-def]
        """Write what can be written, and say that all of it was."""
        try:
            while self.problem is None:
                written = super().write(data)
                if written is not None:
                    return written
                select.select((), (self.fileno(),), ())  # somebody made the pipe non-blocking, and it is full
        except OSError as error:
            self.problem = error
        return len(memoryview(data).cast("B"))


class TolerantStreams:
    """Puts tolerant streams in the place of standard output and error."""

    def __init__(self) -> None:
        _open_missing_descriptors()
        self._out, self._err = _TolerantFile(1), _TolerantFile(2)
        sys.stdout = _text(self._out, sys.__stdout__)
        sys.stderr = _text(self._err, sys.__stderr__)

    def finish(self) -> str:
        """Write out what is left; why standard output is not complete, or an empty text.

        A reader that went away has seen enough: that is no reason.
        """
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        problem = self._out.problem
        if problem is None or problem.errno == errno.EPIPE:
            return ""
        return f"standard output could not be written: {problem.strerror}"


def reader_has_left() -> bool:
    """Whether nobody can read standard output any more: the end of a command that would print for ever."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return isinstance(raw, _TolerantFile) and raw.problem is not None


def _text(file: _TolerantFile, like: TextIO | None) -> TextIO:
    """A text stream over a file, in the encoding of the one that Python made; no character is an error in it."""
    encoding = getattr(like, "encoding", None) or "utf-8"
    terminal = file.isatty()
    # In JSON, the escape for a sign that the encoding has not is what JSON itself writes for it.
    errors = "replace" if terminal else "backslashreplace"
    buffered = io.BufferedWriter(file)
    return io.TextIOWrapper(buffered, encoding=encoding, errors=errors, newline="\n", line_buffering=True)


def _open_missing_descriptors() -> None:
    """Put /dev/null where a standard stream was closed, or the next file that is opened would become that stream."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
