"""Standard output and error that nothing can stop: whoever reads them may go away, and disks may fill.

What a command has found out is in its exit code and its files; that it could not be printed must change neither. So
errors of these two streams end where they happen, and are told at the end of the command. And nothing that is printed
steers a terminal: names and messages come from files, stores and servers.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import Any, TextIO

from dbz.printable import without_steering


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


class HarmlessText(io.TextIOWrapper):
    """A text stream that lets nothing pass which would steer a terminal; consoles write to it by `steerable`."""

    def write(self, text: str) -> int:
        """Write the text, with U+FFFD for what would steer a terminal."""
        super().write(without_steering(text))
        return len(text)

    @property
    def steerable(self) -> TextIO:
        """The same stream for who colours and redraws, and cleans the texts that it is given by itself."""
        return _Steerable(self)  # type: ignore[return-value]  # it is one in all but its class

    def write_as_is(self, text: str) -> int:
        """Write the text with its control codes."""
        return super().write(text)


class _Steerable:
    """A `HarmlessText` whose `write` writes control codes too."""

    def __init__(self, stream: HarmlessText) -> None:
        self._stream = stream
        self.write = stream.write_as_is

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class TolerantStreams:
    """Puts tolerant streams in the place of standard output and error."""

    def __init__(self) -> None:
        _open_missing_descriptors()
        self._out, self._err = _TolerantFile(1), _TolerantFile(2)
        # Who pipes the output somewhere gets each character as it is: keys and documents are data.
        sys.stdout = _text(self._out, sys.__stdout__, HarmlessText if self._out.isatty() else io.TextIOWrapper)
        sys.stderr = _text(self._err, sys.__stderr__, HarmlessText)

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


def _text(file: _TolerantFile, like: TextIO | None, kind: type[io.TextIOWrapper]) -> TextIO:
    """A text stream over a file, in the encoding of the one that Python made; no character is an error in it."""
    encoding = getattr(like, "encoding", None) or "utf-8"
    terminal = file.isatty()
    # In JSON, the escape for a sign that the encoding has not is what JSON itself writes for it.
    errors = "replace" if terminal else "backslashreplace"
    buffered = io.BufferedWriter(file)
    return kind(buffered, encoding=encoding, errors=errors, newline="\n", line_buffering=True)


def _open_missing_descriptors() -> None:
    """Put /dev/null where a standard stream was closed, or the next file that is opened would become that stream."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
