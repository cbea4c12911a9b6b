"""Socket.IO: authenticates connections, hands events to the services, and answers for them."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import os
import random
import time
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import socketio
from pydantic import ValidationError
from pymongo.errors import PyMongoError

from dbz.background import end
from dbz.server.core import Core
from dbz.server.garbage import GarbageCollection
from dbz.server.http.errors import ApiError
from dbz.server.pacing.limits import RateLimits
from dbz.server.realtime import wire
from dbz.server.realtime.adapter import RoomAdapter
from dbz.server.realtime.connection import SocketConnection
from dbz.server.realtime.engine import SocketServer, protocol_log, read_body, with_body, with_upgrade_timeout
from dbz.server.realtime.guard import Guard
from dbz.server.realtime.legacy_polling import serve_legacy_polling
from dbz.server.realtime.legacy_websocket import is_legacy, serve_legacy
from dbz.server.realtime.refusals import refusal_of
from dbz.server.realtime.relay import Relay, owner_of
from dbz.server.seams import EventHandler
from dbz.server.values.identity import Identity

_log = logging.getLogger(__name__)
_MAX_UNDER_WAY = 100
_POLLERS_S = 0.1  # a client that polls asks again within this time, or it is gone
_ACTIONS = {
    "room:join": "room_join",
    "message:send": "message",
    "typing": "typing",
    "game:join": "game_action",
    "game:leave": "game_action",
    "game:score_update": "game_action",
}


class Gateway:
    """The real-time side of one process. `identify` turns an access token into an identity, or raises `ApiError`."""

    def __init__(self, core: Core, identify: Callable[[str], Identity], garbage: GarbageCollection) -> None:
        settings = core.settings.realtime
        self._core = core
        self._identify = identify
        self._handlers: dict[str, EventHandler] = {}
        self.connections: dict[str, SocketConnection] = {}
        self.limits = RateLimits(
            core.redis,
            {
                "room_join": settings.room_join_rate,
                "message": settings.message_rate,
                "game_action": settings.game_action_rate,
                "typing": settings.typing_rate,
            },
        )
        self.adapter = RoomAdapter(core.redis, core.figures, settings.outbox_queue, self._drop_slow)
        self.sio = SocketServer(
            async_mode="asgi",
            client_manager=self.adapter,
            json=wire,
            ping_interval=settings.ping_interval_s,
            ping_timeout=settings.ping_timeout_s,
            max_http_buffer_size=settings.max_message_bytes,
            http_compression=True,
            compression_threshold=core.settings.http.compress_from_bytes,
            cors_allowed_origins=list(core.settings.http.allowed_origins) or None,
            cors_credentials=True,
            logger=protocol_log(),
            engineio_logger=protocol_log(),
        )
        self.sio.on("connect", self._connect)
        self.sio.on("disconnect", self._disconnect)
        self.sio.on("auth:renew", self._renew)
        self._guard = Guard(
            settings,
            lambda: list(self.connections.values()),
            self._close,
            (self.limits.clean_up, self.adapter.drop_backlogs, core.cache.local.drop_expired),
            garbage,
        )
        self.sio.eio.admit = self._admit
        self._draining = False
        self._relay = Relay(self._handle_here)
        self._tasks: set[asyncio.Task[Any]] = set()

    def serve(self, events: Mapping[str, EventHandler]) -> None:
        """Hand these events to a service."""
        for event, handler in events.items():
            self._handlers[event] = handler
            self.sio.on(event, self._receiver(event))

    async def start(self) -> None:
        """Begin to publish for other processes."""
        self._spawn(self.adapter.publish_forever())
        self._spawn(self._guard.run())
        await self._relay.start()

    async def drain(self, timeout_s: float) -> None:
        """Tell every socket to connect again after a moment, close them all, and refuse new ones."""
        self._draining = True
        for eio_sid, socket in list(self.sio.eio.sockets.items()):
            # Spread over a second, so that thousands do not come back at the same instant.
            self._spawn(self._send_away(eio_sid, socket, 500 + random.randrange(1000)))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await asyncio.sleep(_POLLERS_S)
                while any(s.upgraded and not s.queue.empty() for s in list(self.sio.eio.sockets.values())):
                    await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """End background work."""
        await self._relay.stop()
        if self.sio.manager_initialized:
            self._tasks.add(self.adapter.thread)
        await end(self._tasks)

    def emit(self, event: str, data: Any, room: str, but: str = "") -> None:
        """See `Emitter`."""
        self.adapter.broadcast(event, data, room, but)

    async def handle(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Answer one HTTP request or WebSocket under /socket.io/."""
        if scope["type"] == "http" and scope["method"] == "POST":
            try:
                settings = self._core.settings
                limits = settings.realtime.max_message_bytes, settings.http.body_timeout_s
                receive = with_body(await read_body(receive, *limits), receive)
            except (TimeoutError, ValueError) as error:
                await _refuse_body(send, 408 if isinstance(error, TimeoutError) else 413)
                return
        owner = owner_of(scope)
        if owner is None or owner == os.getpid() or not await self._relay.forward(owner, scope, receive, send):
            await self._handle_here(scope, receive, send)

    async def _handle_here(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        settings = self._core.settings.realtime
        if not is_legacy(scope):
            await self._serve(scope, receive, send)
        elif scope["type"] == "websocket":
            silence_s = settings.ping_interval_s + settings.ping_timeout_s
            await serve_legacy(self._serve, scope, receive, send, silence_s)
        else:
            find = self.sio.eio.sockets.get
            await serve_legacy_polling(self._serve, find, scope, receive, send)

    async def _serve(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        timeout_s = self._core.settings.realtime.upgrade_timeout_s
        await self.sio.handle_request(scope, with_upgrade_timeout(scope, receive, timeout_s), send)

    @property
    def unauthenticated(self) -> int:
        """How many connections have not shown a valid token yet."""
        return max(0, len(self.sio.eio.sockets) - len(self.connections))

    def _admit(self, eio_sid: str) -> bool:
        """Whether a new connection, which is nobody's yet, may stay for a while."""
        settings = self._core.settings.realtime
        if self.unauthenticated > settings.max_unauthenticated:
            self._core.figures.refused_connections.add(("too_many_unauthenticated",))
            return False
        asyncio.get_running_loop().call_later(settings.connect_timeout_s, self._end_unless_known, eio_sid)
        return True

    def _end_unless_known(self, eio_sid: str) -> None:
        socket = self.sio.eio.sockets.get(eio_sid)
        if socket is not None and self.adapter.sid_from_eio_sid(eio_sid, "/") not in self.connections:
            self._core.figures.refused_connections.add(("no_token_in_time",))
            self._spawn(socket.close(wait=False))

    async def _close(self, sid: str) -> None:
        connection = self.connections.get(sid)
        if connection is not None:
            await connection.close()

    async def end_session(self, session_id: str) -> None:
        """Disconnect the sockets of an ended session."""
        for connection in [c for c in self.connections.values() if c.identity.session_id == session_id]:
            await self.sio.disconnect(connection.sid)

    async def _connect(self, sid: str, _environ: Any, auth: Any = None) -> None:
        if self._draining:
            raise socketio.exceptions.ConnectionRefusedError("this server is going down; connect again shortly")
        token = auth.get("token") if isinstance(auth, dict) else None
        if not isinstance(token, str):
            raise socketio.exceptions.ConnectionRefusedError("send auth {token: <access token>}")
        try:
            identity = self._identify(token)
        except ApiError as error:
            raise socketio.exceptions.ConnectionRefusedError(error.message) from None
        connection = SocketConnection(self.sio, self.adapter, sid, identity)
        self.connections[sid] = connection
        self._expire_in_time(connection)
        self._core.figures.connections = len(self.connections)
        await connection.join(f"user:{identity.user_id}")

    async def _send_away(self, eio_sid: str, socket: Any, retry_after_ms: int) -> None:
        sid = self.adapter.sid_from_eio_sid(eio_sid, "/")
        if sid is not None:
            self.adapter.deliver("server:draining", {"retryAfter": retry_after_ms}, sid)
        # The transport is closed, not the namespace: clients take that as a reason to connect again by themselves.
        await socket.close(wait=False)

    async def _renew(self, sid: str, data: Any = None) -> dict[str, Any]:
        """auth:renew {token}: go on with a newer token of the same user, without connecting again."""
        connection = self.connections.get(sid)
        token = data.get("token") if isinstance(data, dict) else None
        try:
            identity = self._identify(token if isinstance(token, str) else "")
        except ApiError as error:
            return {"ok": False, "code": error.code, "error": error.message}
        if connection is None or identity.user_id != connection.identity.user_id:
            return {"ok": False, "code": "forbidden", "error": "the token is another user's"}
        connection.identity = identity
        self._expire_in_time(connection)
        return {"ok": True}

    def _expire_in_time(self, connection: SocketConnection) -> None:
        """An identity is good for as long as its token."""
        if connection.expiry is not None:
            connection.expiry.cancel()
        seconds_left = max(connection.identity.expires_at - time.time(), 0.0)
        connection.expiry = asyncio.get_running_loop().call_later(seconds_left, self._expire, connection.sid)

    def _expire(self, sid: str) -> None:
        self.adapter.deliver("auth:expired", {"error": "the access token has expired; connect with a new one"}, sid)
        self._spawn(self._close(sid))

    async def _disconnect(self, sid: str, _reason: Any = None) -> None:
        connection = self.connections.pop(sid, None)
        if connection is not None and connection.expiry is not None:
            connection.expiry.cancel()
        # Who only left the namespace holds a connection without a token again.
        settings, eio_sid = self._core.settings.realtime, self.adapter.eio_sid_from_sid(sid, "/")
        asyncio.get_running_loop().call_later(settings.connect_timeout_s, self._end_unless_known, eio_sid)
        self._core.figures.connections = len(self.connections)

    def _receiver(self, event: str) -> Callable[..., Any]:
        async def receive(sid: str, *arguments: Any) -> Any:
            connection = self.connections.get(sid)
            if connection is None:
                return {"ok": False, "code": "not_connected", "error": "connect first"}
            connection.active_at = time.monotonic()
            if connection.under_way >= _MAX_UNDER_WAY:
                return await self._limited(connection, event)
            connection.under_way += 1
            try:
                return await self._answer(event, connection, arguments[0] if arguments else None)
            finally:
                connection.under_way -= 1

        return receive

    async def _answer(self, event: str, connection: SocketConnection, data: Any) -> dict[str, Any]:
        """Run the handler in the order of arrival; a slow answer that it returns is awaited out of order."""
        try:
            async with connection.order:
                action = _ACTIONS.get(event)
                if action and not await self.limits.allows(action, connection.identity.user_id):
                    return await self._limited(connection, event)
                answer = await self._handlers[event](connection, data)
            if inspect.isawaitable(answer):
                answer = await answer
        except ValidationError as error:
            refusal = refusal_of(error, event)
            return await self._refuse(connection, event, data, refusal.code, refusal.message)
        except ApiError as error:
            return await self._refuse(connection, event, data, error.code, error.message)
        except (PyMongoError, OSError, TimeoutError) as error:
            _log.error("a store failed: %s", error, extra={"event": event})
            return await self._refuse(connection, event, data, "store_unavailable", "a data store does not answer")
        except Exception:
            _log.exception("event failed", extra={"event": event})
            return await self._refuse(connection, event, data, "internal", "the server failed")
        self._core.figures.events.add((event, "ok"))
        return {"ok": True, **(answer or {})}

    async def _limited(self, connection: SocketConnection, event: str) -> dict[str, Any]:
        self._core.figures.events.add((event, "rate_limited"))
        await connection.send("message:rate_limited", {"error": f"too many {event} events", "retryAfter": 1000})
        return {"ok": False, "code": "rate_limited", "error": "too many events", "retryAfter": 1000}

    async def _refuse(
        self, connection: SocketConnection, event: str, data: Any, code: str, message: str
    ) -> dict[str, Any]:
        self._core.figures.events.add((event, code))
        named = data if isinstance(data, dict) else {}
        about = {key: named[key] for key in ("roomId", "tempId", "gameId") if isinstance(named.get(key), str)}
        await connection.send("message:error", {"event": event, "code": code, "error": message, **about})
        return {"ok": False, "code": code, "error": message}

    def _drop_slow(self, sid: str) -> None:
        """A receiver that does not read would keep every message in memory: it must connect again and catch up."""
        _log.warning("a socket that does not read is disconnected", extra={"sid": sid})
        self._spawn(self._close(sid))

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _refuse_body(send: Any, status: int) -> None:
    # The rest of the body may still be on its way.
    headers = [(b"content-length", b"0"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
