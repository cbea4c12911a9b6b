"""A response's body that is read when the scenario asks for it (`stream=True`), as events and long downloads are."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from dbz.load.generator.http.answer.decoding import decompressed
from dbz.load.generator.http.answer.head import Head
from dbz.load.generator.http.answer.reader import ResponseReader
from dbz.load.generator.net.connection import Connection

LARGEST_PIECE_BYTES = 64_000_000


class BodyStream:
    """The body of one answer, whose connection is lent to it.

    `give_back` takes the connection when the body has been read to its end, and whether it can carry another request.
    Each single wait for bytes may take `wait_s` seconds.
    """

    def __init__(
        self,
        connection: Connection,
        reader: ResponseReader,
        head: Head,
        wait_s: float,
        give_back: Callable[[bool], None],
    ) -> None:
        connection.deadline_s = math.inf  # a stream of events has no end that could be late
        connection.read_timeout_s = wait_s
        self._connection = connection
        self._give_back: Callable[[bool], None] | None = give_back
        self._reader = reader
        pieces = reader.pieces(connection, head)
        self._pieces = decompressed(pieces, head.encoding.decode("latin-1"), LARGEST_PIECE_BYTES)

    def __iter__(self) -> Iterator[bytes]:
        """What is left of the body, decompressed, as it arrives. Raises what `ResponseReader.pieces` raises."""
        try:
            yield from self._pieces
        except BaseException:
            self.close()
            raise
        self._end(self._reader.reusable)

    def close(self) -> None:
        """Leave the rest unread: the connection is of no use to anybody else then."""
        self._end(False)

    def _end(self, reusable: bool) -> None:
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back(reusable)

    def __del__(self) -> None:
        # A scenario that looks at the status only never reads the body: its socket must not stay open for that.
        self.close()
