"""TLS between two queues of bytes instead of on a socket: what it says travels like everything else."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from dbz.load.generator.net.dial import tls_failure

LARGEST_RECORD_BYTES = 2**14 + 256
"""RFC 8446, section 5.2. Until a record is complete, the session keeps what it was given of it, unseen."""
_CHUNK_BYTES = 65_536


class TlsSession:
    """The user's side of a session; `TlsFailed` when host name or settings are unusable."""

    __slots__ = ("_incoming", "_outgoing", "_session")

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        try:
            self._session = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        except (OSError, ValueError) as error:
            raise tls_failure(error) from error

    def shake_hands(self, send: Callable[[bytes], None], receive: Callable[[], bytes]) -> None:
        """Carry out the handshake; `TlsFailed` says what is wrong with certificate or protocol."""
        while True:
            try:
                self._session.do_handshake()
            except ssl.SSLWantReadError:
                send(self._outgoing.read())
                self._feed(receive())
            except (OSError, ValueError) as error:
                send(self._outgoing.read())  # the alert that tells the server why
                raise tls_failure(error) from error
            else:
                send(self._outgoing.read())
                return

    def sealed(self, data: bytes) -> bytes:
        """What is to be sent for `data`."""
        self._session.write(data)
        return self._outgoing.read()

    def unsent(self) -> bytes:
        """What the protocol itself has to say after it was spoken to; mostly nothing."""
        return self._outgoing.read()

    def opened(self, data: bytes) -> bytes | None:
        """What `data` says, all of it; None when its record is not complete yet, empty at the end of the session.

        `ssl.SSLError` when it was tampered with.
        """
        self._feed(data)
        pieces: list[bytes] = []
        while True:
            try:
                piece = self._session.read(_CHUNK_BYTES)
            except ssl.SSLWantReadError:
                return b"".join(pieces) if pieces else None
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                piece = b""
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)

    def _feed(self, data: bytes) -> None:
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
