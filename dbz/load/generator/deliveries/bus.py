"""How the workers of a run tell each other which messages their users sent, so that each can follow its own receivers.

Workers of one machine share memory and the monotonic clock. Workers of several machines send through the master, with
moments in seconds of the run: how far their clocks may be apart was measured when they joined.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]

from dbz.load.generator.deliveries.ledger import Announcement
from dbz.load.generator.deliveries.shared_ring import RingReader, RingWriter
from dbz.load.generator.record.recorder import Recorder
from dbz.measure.latency.series import SETUP

FOLLOWING = "following deliveries from worker to worker"
_UUID = 1


class MemoryBus:
    """The bus of the workers of one machine; their rings lie in the run's folder."""

    def __init__(self, folder: Path, worker: int, workers: int, recorder: Recorder) -> None:
        self._paths = {other: _ring(folder, other) for other in range(workers) if other != worker}
        self._own = _ring(folder, worker)
        self._writer = RingWriter(self._own)
        self._readers: dict[int, RingReader] = {}
        self._missed = 0
        self._recorder = recorder

    def announce(self, announcement: Announcement) -> None:
        """See `Bus`."""
        try:
            self._writer.write(pack(announcement))
        except (TypeError, ValueError, OverflowError) as error:
            self._recorder.note_error(SETUP, FOLLOWING, f"a key that cannot be told to other workers: {error}")

    def take(self) -> Iterator[Announcement]:
        """See `Bus`."""
        for other in [other for other in self._paths if other not in self._readers]:
            if self._paths[other].exists():
                self._readers[other] = RingReader(self._paths[other])
        for reader in self._readers.values():
            for frame in reader.new_frames():
                yield unpack(frame)
        missed = sum(reader.missed for reader in self._readers.values())
        if missed > self._missed:
            self._recorder.note_error(SETUP, FOLLOWING, "more messages than this worker could keep up with")
            self._missed = missed

    def close(self) -> None:
        """The run is over."""
        self._own.unlink(missing_ok=True)
        self._writer.close()
        for reader in self._readers.values():
            reader.close()


class MasterBus:
    """The bus of a worker on another machine: `send` goes to the master, which hands on what the others sent."""

    def __init__(self, started_s: float, recorder: Recorder) -> None:
        self.started_s = started_s
        """The start of the run on this machine's monotonic clock, as well as it is known."""
        self._recorder = recorder
        self._outgoing: list[bytes] = []
        self._incoming: list[Announcement] = []
        self.send: Callable[[list[bytes]], None] = lambda _: None

    def announce(self, announcement: Announcement) -> None:
        """See `Bus`."""
        *what, sent_s = announcement
        try:
            self._outgoing.append(pack((*what, sent_s - self.started_s)))  # type: ignore[arg-type]
        except (TypeError, OverflowError) as error:
            self._recorder.note_error(SETUP, FOLLOWING, f"a key that cannot be told to other workers: {error}")

    def take(self) -> Iterator[Announcement]:
        """See `Bus`; what was announced since the last call leaves now, in one message."""
        outgoing, self._outgoing = self._outgoing, []
        if outgoing:
            self.send(outgoing)
        incoming, self._incoming = self._incoming, []
        yield from incoming

    def receive(self, frames: list[bytes]) -> None:
        """The master hands on what another worker announced."""
        for frame in frames:
            *what, sent_s = unpack(frame)
            self._incoming.append((*what, sent_s + self.started_s))  # type: ignore[arg-type]

    def close(self) -> None:
        """Nothing is held."""


def pack(announcement: Announcement) -> bytes:
    """An announcement as bytes; `TypeError` when a key is neither text, a number, bytes, a UUID nor a tuple of them."""
    packed: bytes = msgpack.packb(announcement, default=_uuid_only, strict_types=False)
    return packed


def unpack(frame: bytes) -> Announcement:
    """Read what `pack` wrote."""
    announcement: Announcement = msgpack.unpackb(frame, use_list=False, ext_hook=_uuid_from, strict_map_key=False)
    return announcement


def _uuid_only(value: object) -> Any:
    if isinstance(value, uuid.UUID):
        return msgpack.ExtType(_UUID, value.bytes)
    raise TypeError(f"{type(value).__name__} is neither text, a number, bytes, a UUID nor a tuple of them")


def _uuid_from(code: int, data: bytes) -> Any:
    return uuid.UUID(bytes=data) if code == _UUID else msgpack.ExtType(code, data)


def _ring(folder: Path, worker: int) -> Path:
    return folder / f".deliveries-{worker}.ring"


def sweep_rings(folder: Path) -> None:
    """Remove the rings of workers that could not do so themselves."""
    for ring in folder.glob(".deliveries-*"):
        ring.unlink(missing_ok=True)


def handed_on(data: Mapping[str, Any]) -> list[bytes]:
    """The frames in a message of the master or a worker; empty when it is not of this form."""
    frames = data.get("frames")
    return [one for one in frames if isinstance(one, bytes)] if isinstance(frames, list | tuple) else []
