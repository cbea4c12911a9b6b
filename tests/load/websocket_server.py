"""The `websockets` package as a test server with a protocol of its own: the same as tests/node/websocket.mjs.

Argument: port. A message is `{"do": …}`; anything else comes back as it was.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

members: set[ServerConnection] = set()
last_close: list[Any] = []


class Connection(ServerConnection):
    """A connection that can leave pings unanswered."""

    answers_pings = True


def choose(_: ServerConnection, offered: Any) -> Any:
    """The one subprotocol that this server knows."""
    return "club.v2" if "club.v2" in offered else None


async def member(connection: ServerConnection) -> None:
    """One connection from its welcome to its end."""
    request = connection.request
    assert request is not None
    members.add(connection)
    welcome = {"is": "welcome", "url": request.path, "team": request.headers.get("x-team")}
    await tell(connection, **welcome, cookie=request.headers.get("cookie"), protocol=connection.subprotocol or "")
    try:
        async for data in connection:
            await act(connection, data)
    except ConnectionClosed:
        pass
    finally:
        members.discard(connection)
        last_close[:] = [connection.close_code, connection.close_reason]


async def act(connection: ServerConnection, data: str | bytes) -> None:
    """Do what a message asks for."""
    try:
        message = json.loads(data) if isinstance(data, str) else None
    except ValueError:
        message = None
    what = message.get("do") if isinstance(message, dict) else None
    if what == "say":
        for one in list(members):
            await tell(one, **{"is": "said"}, key=message["key"], room=message["room"])
    elif what == "ask":
        asyncio.get_running_loop().call_later(message.get("after_ms", 0) / 1000, answer, connection, message["id"])
    elif what == "close":
        await connection.close(message["code"], message["reason"])
    elif what == "drop":
        connection.transport.abort()
    elif what == "ping_me":
        await (await connection.ping("are you there"))
        await tell(connection, **{"is": "ponged"}, data="are you there")
    elif what == "be_silent":
        connection.protocol.recv_ping = silent  # type: ignore[attr-defined]
        mute(connection)
    elif what == "last_close":
        await tell(connection, **{"is": "closed"}, how=last_close)
    else:
        await connection.send(data)


def mute(connection: ServerConnection) -> None:
    """Leave pings unanswered from now on."""
    send = connection.protocol.send_frame

    def without_pongs(frame: Frame) -> None:
        if frame.opcode is not Opcode.PONG:
            send(frame)

    connection.protocol.send_frame = without_pongs  # type: ignore[method-assign]


def silent(*_: object) -> None:
    """Nothing."""


def answer(connection: ServerConnection, number: int) -> None:
    """Answer a question."""
    _answers.add(asyncio.ensure_future(tell(connection, **{"is": "answer"}, to=number)))


_answers: set[Any] = set()


async def tell(connection: ServerConnection, **message: Any) -> None:
    """Send a message, if somebody still listens."""
    try:
        await connection.send(json.dumps(message))
    except ConnectionClosed:
        return


async def main() -> None:
    """Serve until the process is ended."""
    async with serve(member, "127.0.0.1", int(sys.argv[1]), select_subprotocol=choose, ping_interval=None) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
