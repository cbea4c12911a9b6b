"""What the workers of one machine tell each other, through memory that they share: no port, no process between them.

Each worker writes to a ring of its own, a file of the run's folder that all of them map, and reads those of the others.
A ring begins with how many bytes and frames were ever written to it; a frame is its length, a checksum and its bytes,
and runs over the end of the ring to its beginning. A reader that was left behind by more than the ring skips what it
missed, and knows how many frames that were.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

CAPACITY = 4 * 1024 * 1024
_HEADER = struct.Struct("<QQ")
_FRAME = struct.Struct("<II")


class RingWriter:
    """The ring that one worker writes to."""

    def __init__(self, path: Path, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._written = self._frames = 0
        partial = path.with_suffix(".part")
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        os.ftruncate(descriptor, _HEADER.size + capacity)
        self._memory = mmap.mmap(descriptor, _HEADER.size + capacity)
        os.close(descriptor)
        partial.replace(path)  # whoever opens it finds all of it

    def write(self, content: bytes) -> None:
        """Append a frame; `ValueError` when it is longer than a quarter of the ring."""
        frame = _FRAME.pack(len(content), zlib.crc32(content)) + content
        if len(frame) > self._capacity // 4:
            raise ValueError(f"a frame of {len(frame)} bytes is too long")
        at = self._written % self._capacity
        first = frame[: self._capacity - at]
        self._memory[_HEADER.size + at : _HEADER.size + at + len(first)] = first
        self._memory[_HEADER.size : _HEADER.size + len(frame) - len(first)] = frame[len(first) :]
        self._written += len(frame)
        self._frames += 1
        # The frame first, then that it is there.
        self._memory[: _HEADER.size] = _HEADER.pack(self._written, self._frames)

    def close(self) -> None:
        """Give the memory back; readers keep theirs."""
        self._memory.close()


class RingReader:
    """Follows another worker's ring, from its beginning."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._capacity = len(self._memory) - _HEADER.size
        self._read = self._frames = 0
        self.missed = 0
        """Frames that were overwritten before they were read."""

    def new_frames(self) -> Iterator[bytes]:
        """The frames since the last call."""
        written, frames = _HEADER.unpack(self._memory[: _HEADER.size])
        while self._read < written:
            content = self._next(written)
            if content is None:  # overwritten, now or while it was being read
                written, frames = _HEADER.unpack(self._memory[: _HEADER.size])
                self.missed += frames - self._frames
                self._read, self._frames = written, frames
                return
            self._read += _FRAME.size + len(content)
            self._frames += 1
            yield content

    def _next(self, written: int) -> bytes | None:
        if written - self._read > self._capacity:
            return None
        length, checksum = _FRAME.unpack(self._bytes(self._read, _FRAME.size))
        if length > self._capacity:
            return None
        content = self._bytes(self._read + _FRAME.size, length)
        return content if zlib.crc32(content) == checksum else None

    def _bytes(self, position: int, length: int) -> bytes:
        at = position % self._capacity
        first = self._memory[_HEADER.size + at : _HEADER.size + min(at + length, self._capacity)]
        return first + self._memory[_HEADER.size : _HEADER.size + length - len(first)]

    def close(self) -> None:
        """Give the memory back."""
        self._memory.close()
