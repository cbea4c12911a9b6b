"""Locust's connection between master and workers, closed to everybody who does not know the secret of the run.

Locust binds a bare ZeroMQ socket: whoever reaches the port is told the whole run, headers included, and may send it a
record of his own; and a worker executes the scenario of whoever answers. Here both ends use CURVE, ZeroMQ's own
encryption. The master's key pair is made from the secret, and a client that does not know the public half, which is
never sent, cannot even say hello: nothing of what a stranger sends is ever read as a message. Nor can a stranger pose
as the master, because he lacks the private half.
"""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import Any

import zmq
from locust import runners
from locust.exception import RPCError, RPCReceiveError
from locust.rpc import Message, zmqrpc
from zmq.utils import z85

from dbz.errors import DependencyError

_SALT = b"dbz worker secret, version 1"
_HANDSHAKE_MS = 5_000
_MOST_BYTES = 256 * 1024 * 1024
"""Of one message: a record of one second is far smaller, a scenario too."""


class Channel:
    """Makes the sockets of one run."""

    def __init__(self, secret: str) -> None:
        if not zmq.has("curve"):
            hint = "pip install --force-reinstall pyzmq brings a build that has it"
            raise DependencyError(
                "this ZeroMQ was built without CURVE, which keeps strangers out", hint=hint, code="L013"
            )
        # Slow on purpose: the secret may be a word that people chose, and an overheard greeting allows guessing it.
        raw = hashlib.scrypt(secret.encode(), salt=_SALT, n=2**14, r=8, p=1, dklen=32)
        self._private = z85.encode(raw)
        self._public = zmq.curve_public(self._private)

    def serve(self, host: str, port: int) -> MasterSocket:
        """The master's end."""
        return MasterSocket(host, port, self._private)

    def connect(self, host: str, port: int, identity: str) -> WorkerSocket:
        """A worker's end."""
        return WorkerSocket(host, port, identity, self._public)

    def install(self) -> None:
        """Have Locust's runners, which make their sockets themselves, make these."""
        runners.rpc = SimpleNamespace(Server=self.serve, Client=self.connect)


class MasterSocket(zmqrpc.Server):  # type: ignore[misc]
    """As Locust's, for workers who know the secret; what cannot be understood ends nothing."""

    def __init__(self, host: str, port: int, private_key: bytes) -> None:
        zmqrpc.BaseSocket.__init__(self, zmq.ROUTER, self.ipv4_only(host, port))
        self.socket.setsockopt(zmq.CURVE_SERVER, 1)
        self.socket.setsockopt(zmq.CURVE_SECRETKEY, private_key)
        _set_limits(self.socket)
        self.port = port
        try:
            self.socket.bind(f"tcp://{host}:{port}")
        except zmq.ZMQError as error:
            raise DependencyError(
                f"the master cannot listen at {host}:{port}: {error}", hint="choose another --master-port", code="E017"
            ) from error

    def recv_from_client(self) -> tuple[str, Any]:
        """The next message and who sent it; `RPCReceiveError` for one that is none, or bears another's name."""
        try:
            address, *parts = self.socket.recv_multipart()
        except zmq.ZMQError as error:
            raise RPCError("the connection to the workers is broken") from error
        try:
            sender = address.decode()
            message = _message(parts)
        except Exception as error:  # msgpack alone has a dozen ways to fail
            raise RPCReceiveError(f"a message that is none: {error!r}") from error
        if message.node_id != sender:
            raise RPCReceiveError(f"a message of {sender} that bears the name of another")
        return sender, message


class WorkerSocket(zmqrpc.Client):  # type: ignore[misc]
    """As Locust's, to a master who knows the secret."""

    def __init__(self, host: str, port: int, identity: str, masters_key: bytes) -> None:
        zmqrpc.BaseSocket.__init__(self, zmq.DEALER, self.ipv4_only(host, port))
        public, private = zmq.curve_keypair()
        self.socket.setsockopt(zmq.CURVE_SERVERKEY, masters_key)
        self.socket.setsockopt(zmq.CURVE_PUBLICKEY, public)
        self.socket.setsockopt(zmq.CURVE_SECRETKEY, private)
        self.socket.setsockopt(zmq.IDENTITY, identity.encode())
        _set_limits(self.socket)
        self.socket.connect(f"tcp://{host}:{port}")

    def recv(self) -> Any:
        """The next message; `RPCError` for one that is none."""
        try:
            return _message(self.socket.recv_multipart())
        except Exception as error:
            raise RPCError(f"a message that is none: {error!r}") from error


def tolerate(runner: Any) -> None:
    """Have a master survive messages that are well formed but say something impossible.

    Locust handles all messages in one greenlet; an exception there would make the master deaf for the rest of the run.
    """
    handle = runner.handle_message

    def handle_or_note(client_id: str, message: Any) -> None:
        try:
            handle(client_id, message)
        except Exception:
            runners.logger.exception("a message of %s could not be used", client_id)

    runner.handle_message = handle_or_note


def _message(parts: list[bytes]) -> Any:
    (data,) = parts
    message = Message.unserialize(data)
    if not isinstance(message.type, str) or not isinstance(message.node_id, str):
        raise TypeError("its kind or its sender is not a text")
    return message


def _set_limits(socket: Any) -> None:
    socket.setsockopt(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
    socket.setsockopt(zmq.MAXMSGSIZE, _MOST_BYTES)
