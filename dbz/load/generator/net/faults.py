"""What can go wrong between a virtual user and its server; the class names are what reports show."""

from __future__ import annotations

import errno


class TransportError(Exception):
    """A request that got no complete answer; `name` is its error class in reports."""

    name = "TransportError"

    def __str__(self) -> str:
        detail = super().__str__()
        return f"{self.name}: {detail}" if detail else self.name


class BadUrl(TransportError):  # noqa: N818 here and below: the class name is what the report shows
    """The scenario, or a redirect, named something that is not an HTTP URL."""

    name = "BadUrl"


class BadRequest(TransportError):  # noqa: N818
    """The scenario asked for something that HTTP or JSON cannot say, so it was not sent."""

    name = "BadRequest"


class NameNotResolved(TransportError):  # noqa: N818
    """The host name has no address."""

    name = "NameNotResolved"


class ConnectFailed(TransportError):  # noqa: N818
    """Nothing accepts connections there, or the network does not lead there."""

    name = "ConnectFailed"


class GeneratorLimit(TransportError):  # noqa: N818
    """The generator ran out of something of its own (see `limits`): no failure of the server's."""

    name = "GeneratorLimit"


class ConnectTimeout(TransportError):  # noqa: N818
    """No connection, or no TLS handshake, within the connect timeout."""

    name = "ConnectTimeout"


class ProxyFailed(TransportError):  # noqa: N818
    """The proxy cannot be reached, or refused to connect to the server."""

    name = "ProxyFailed"


class TlsFailed(TransportError):  # noqa: N818
    """The TLS handshake failed: certificate, name or protocol."""

    name = "TlsFailed"


class ReadTimeout(TransportError):  # noqa: N818
    """The answer did not come, or did not end, within its timeout."""

    name = "ReadTimeout"


class WriteTimeout(TransportError):  # noqa: N818
    """The server did not take the whole request within its timeout."""

    name = "WriteTimeout"


class ConnectionLost(TransportError):  # noqa: N818
    """The server closed or reset the connection before the answer was complete."""

    name = "ConnectionLost"


class ClosedByServer(ConnectionLost):
    """The server closed a WebSocket, and said with which code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"closed by the server with code {code}{f': {reason}' if reason else ''}")
        self.code = code
        """That of RFC 6455, section 7.4; 1005 when the server gave none."""
        self.reason = reason


class MalformedResponse(TransportError):  # noqa: N818
    """What came is not the protocol that was asked for."""

    name = "MalformedResponse"


class HeadersTooLarge(TransportError):  # noqa: N818
    """The header fields have no end, or are larger than the client accepts."""

    name = "HeadersTooLarge"


class BodyTooLarge(TransportError):  # noqa: N818
    """The body is larger than the client accepts."""

    name = "BodyTooLarge"


class UnaskedResponse(TransportError):  # noqa: N818
    """The server sent more than one answer to one request, or one before it was asked."""

    name = "UnaskedResponse"


class TooManyRedirects(TransportError):  # noqa: N818
    """The server redirected again and again."""

    name = "TooManyRedirects"


class RedirectRefused(TransportError):  # noqa: N818
    """A redirect leads to a host that nobody allowed a load on."""

    name = "RedirectRefused"


class HandshakeRefused(TransportError):  # noqa: N818
    """The server answered the opening of a WebSocket or polling connection with something else than was asked for."""

    name = "HandshakeRefused"


class MalformedFrame(TransportError):  # noqa: N818
    """The server sent what no WebSocket server may send."""

    name = "MalformedFrame"


class MessageTooLarge(TransportError):  # noqa: N818
    """A message is larger than the side that would get it accepts."""

    name = "MessageTooLarge"


class MalformedPacket(TransportError):  # noqa: N818
    """The server sent what is neither Engine.IO nor Socket.IO."""

    name = "MalformedPacket"


class OldServer(TransportError):  # noqa: N818
    """The server speaks Socket.IO 2, whose connections look open and never are."""

    name = "OldServer"

    def __init__(self) -> None:
        super().__init__("it speaks Socket.IO 2 (Engine.IO 3), which clients of version 3 and later cannot talk to")


class Disconnected(TransportError):  # noqa: N818
    """The server ended the Socket.IO connection in good order."""

    name = "Disconnected"


class Refused(TransportError):  # noqa: N818
    """The server refused the connection to a namespace."""

    name = "Refused"


class ForbiddenTargetError(PermissionError):
    """A scenario wants to reach a host that nobody allowed a load on, whatever client it uses."""

    def __init__(self, host: str) -> None:
        super().__init__(errno.EACCES, f"{host} is not on this machine and not allowed (--allow-target {host})")


def notes_of(error: BaseException) -> str:
    """What was added to an error on its way."""
    return "".join(getattr(error, "__notes__", ()))
