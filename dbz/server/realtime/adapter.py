"""Rooms that span processes: every event is delivered here at once, and published through Redis for the others.

Local delivery does not wait for Redis, encodes a packet once for all its receivers, and makes no task for each of
them: with 500 members in a room that is most of the cost of a message.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
from engineio.packet import MESSAGE as EIO_MESSAGE
from engineio.packet import Packet as EnginePacket
from redis.asyncio import Redis
from redis.exceptions import RedisError
from socketio.async_pubsub_manager import AsyncPubSubManager
from socketio.packet import EVENT

from dbz.server.observe.metrics import Figures
from dbz.server.realtime.websocket import text_frame

_log = logging.getLogger(__name__)
_CHANNEL = "realtime:events"
_QUEUE = 10_000
_PIPELINE = 200
_PUBLISH_S = 2.0
_FAR_BEHIND = 10  # a tenth of the limit


class RoomAdapter(AsyncPubSubManager):  # type: ignore[misc]
    """The Socket.IO client manager of one process."""

    name = "dbz"

    def __init__(self, redis: Redis, figures: Figures, outbox_limit: int, overflow: Callable[[str], None]) -> None:
        super().__init__(channel=_CHANNEL)
        self._redis = redis
        self._figures = figures
        self._outbox_limit = outbox_limit
        self._overflow = overflow
        self._outgoing: asyncio.Queue[bytes] = asyncio.Queue(_QUEUE)

    def broadcast(self, event: str, data: Any, room: str, but: str = "") -> None:
        """Send `event` to a room in every process; not to the socket `but`, which has it already."""
        self.deliver(event, data, room, but)
        self._queue({"method": "emit", "event": event, "data": data, "room": room, "but": but})

    def deliver(self, event: str, data: Any, room: str | None, but: str = "") -> int:
        """Send `event` to the sockets of `room` in this process; returns how many there were."""
        if "/" not in self.rooms:
            return 0
        body = self.server.packet_class(EVENT, namespace="/", data=[event, data]).encode()
        packet = EnginePacket(EIO_MESSAGE, body)
        frame = text_frame(packet.encode())
        sockets, count, now = self.server.eio.sockets, 0, time.monotonic()
        for sid, eio_sid in self.get_participants("/", room):
            socket = sockets.get(eio_sid)
            if socket is None or socket.closed or socket.closing or sid == but:
                continue
            if socket.queue.qsize() >= self._outbox_limit:
                self._overflow(sid)
                continue
            if not socket.write_at_once(frame):
                socket.queue.put_nowait(packet)
            socket.delivered_at = now
            count += 1
        self._figures.deliveries.add((event,), count)
        return count

    def drop_backlogs(self) -> int:
        """Disconnect the sockets that are far behind in reading; returns how many packets go with them."""
        dropped = 0
        for sid, eio_sid in list(self.get_participants("/", None)) if "/" in self.rooms else ():
            socket = self.server.eio.sockets.get(eio_sid)
            if socket is not None and socket.queue.qsize() * _FAR_BEHIND > self._outbox_limit:
                dropped += socket.queue.qsize()
                self._overflow(sid)
        return dropped

    async def publish_forever(self) -> None:
        """Hand what other processes must deliver to Redis, in order and several at a time."""
        while True:
            batch = [await self._outgoing.get()]
            while len(batch) < _PIPELINE and not self._outgoing.empty():
                batch.append(self._outgoing.get_nowait())
            try:
                async with self._redis.pipeline(transaction=False) as pipeline:
                    for message in batch:
                        pipeline.publish(self.channel, message)
                    await pipeline.execute()
            except (RedisError, OSError, TimeoutError) as error:
                _log.warning("%d events did not reach other processes: %s", len(batch), error)
            finally:
                for _ in batch:
                    self._outgoing.task_done()

    async def published(self) -> None:
        """Wait until everything was handed to Redis, for as long as that may take at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PUBLISH_S):
                await self._outgoing.join()

    async def _publish(self, data: Any) -> None:
        self._queue(data)

    def _queue(self, data: dict[str, Any]) -> None:
        message = self.host_id.encode() + orjson.dumps({**data, "host_id": self.host_id})
        try:
            self._outgoing.put_nowait(message)
        except asyncio.QueueFull:
            _log.warning("events for other processes are dropped: Redis does not keep up")

    async def _handle_emit(self, message: dict[str, Any]) -> None:
        self.deliver(message["event"], message["data"], message["room"], message.get("but", ""))

    async def _listen(self) -> AsyncIterator[bytes]:
        """What other processes published; own messages are skipped before they are decoded."""
        own, length = self.host_id.encode(), len(self.host_id)
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(self.channel)
                    while True:
                        message = await channel.get_message(timeout=60.0)
                        if message is not None and not message["data"].startswith(own):
                            yield message["data"][length:]
            except (RedisError, OSError, TimeoutError) as error:
                _log.warning("events of other processes do not arrive: %s", error)
                await asyncio.sleep(0.5)
