"""Members of the demo clubs' chat rooms in one process: the load of the server benchmarks.

Arguments: `room`, URL, members, messages a second, seconds, clubs, and `plain` for the peer, which knows no users.
"""

# ruff: noqa: I001 the standard library is patched before anything else is imported
from __future__ import annotations

from socketio_dbz import EVENT, Members
from socketio_members import Member, run

import json
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

import gevent

from dbz.load.generator import wire
from dbz.load.generator.socketio.client import SocketClient

MEMBERS_PER_CLUB = 200


class RoomMembers(Members):
    """Members who are shared out over the rooms of `clubs` clubs; more than 200 of one share the accounts."""

    def __init__(self, folder: Path, clubs: int, plain: bool) -> None:
        super().__init__(folder)
        self._clubs = clubs
        self._plain = plain

    def room(self, number: int) -> str:
        """The room that a member is in."""
        return f"room:club{number % self._clubs:02d}"

    def join(self, url: str, number: int) -> Member:
        """Log one member in, connect it and join its room."""
        room, received = self.room(number), self.deliveries.received
        client = SocketClient(url, self.recorder)

        def on_batch(batch: dict[str, Any]) -> None:
            for message in batch["messages"]:
                received(EVENT, room, message["tempId"], number)

        client.on("message:batch", on_batch)
        client.connect({"token": "" if self._plain else self._token(url, number)})
        if client.call("room:join", {"roomId": room}) is None:
            raise SystemExit(f"member {number} cannot join {room}")
        self.clients.append(client)
        self.deliveries.join(EVENT, room, number)

        def payload(message: dict[str, Any]) -> dict[str, Any]:
            return {"roomId": room, "tempId": message["id"], "content": message["text"]}

        return Member(
            lambda message: client.emit("message:send", payload(message)),
            lambda message: client.call("message:send", payload(message)),
        )

    def announce(self, key: str, member: int) -> None:
        """A message is about to be sent."""
        self.deliveries.sent(EVENT, self.room(member), key, member)

    def _token(self, url: str, number: int) -> str:
        user = number % self._clubs * MEMBERS_PER_CLUB + number // self._clubs % MEMBERS_PER_CLUB
        body = json.dumps({"username": f"user{user:04d}", "password": "demo"}).encode()
        request = urllib.request.Request(f"{url}/api/auth/login", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            token: str = json.load(answer)["access_token"]
        return token


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        gevent.spawn(wire.sweep_deadlines)
        members = RoomMembers(Path(folder), int(sys.argv[6]), "plain" in sys.argv)
        run(members.join, members.announce, members.latencies_ms)
