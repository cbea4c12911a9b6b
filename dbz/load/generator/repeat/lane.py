"""The requests of one user over one connection, each sent as soon as the one before was answered.

What is readable is looked at in the event loop's own callback: the greenlet of the user sleeps until an answer is not a
plain one, and completes that request with the ordinary client. So all that is known about odd servers stays there.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Unpack

from gevent import GreenletExit
from gevent.hub import get_hub

from dbz.load.generator.http.answer.decoding import decompress
from dbz.load.generator.http.answer.head import Head
from dbz.load.generator.http.answer.reader import ResponseReader, plain_head
from dbz.load.generator.http.options import RequestOptions
from dbz.load.generator.http.pool import BegunRequest
from dbz.load.generator.http.request.outgoing import IDEMPOTENT
from dbz.load.generator.http.response import Response
from dbz.load.generator.net.faults import ConnectionLost, ReadTimeout, TransportError
from dbz.load.generator.net.waiting import TimedWait
from dbz.load.generator.net.wire import DirectConnection
from dbz.load.generator.pace.lateness import note_lateness_s
from dbz.load.generator.record.tally import RequestTally

_LARGEST_BYTES = 262_144
"""Longer bodies are for the ordinary client, which does not put their pieces together again with each new one."""
_buffer = bytearray(65_536)
_seen = memoryview(_buffer)
RUNNING, WAITING, STOPPING = "running", "waiting", "stopping"
"""The states of Locust's users, written out: importing locust patches the standard library."""


class Lane(TimedWait):
    """Carries requests of `user`, whose answers `tally` counts."""

    __slots__ = (
        "_connection",
        "_early",
        "_first_byte_s",
        "_message",
        "_odd",
        "_reader",
        "_receive",
        "_repeatable",
        "_send",
        "_size",
        "_tally",
        "_timeout_s",
        "_user",
        "asked",
        "lateness_s",
        "started_s",
    )

    def __init__(self, user: Any, tally: RequestTally) -> None:
        super().__init__()
        self._user = user
        self._tally = tally
        self._connection: DirectConnection
        self._reader: ResponseReader
        self._odd = False
        """Whether what comes next is not simply the whole answer: nothing was asked, or a part of it came already."""
        self._early = b""
        self._first_byte_s = 0.0
        self.started_s = 0.0
        """When the last request was sent, on the monotonic clock."""
        self.asked = False
        """Whether it is under way."""
        self.lateness_s = 0.0
        """How much later that was than it should have been."""

    def repeat(self, response: Response, ask: Callable[[], Response], **options: Unpack[RequestOptions]) -> None:
        """Repeat the request that `response` answers, until an answer shows that a lane is of no use here, or the user
        is to stop.

        Single requests that need the ordinary client are made by it: by `ask`, or with the `options` of their bodies.
        """
        client = self._user.client
        while not self._tally.names_service(response.head) and (lent := client.lend(response)) is not None:
            connection, reader = lent
            begun = self._carry(connection, reader, response)
            note_lateness_s(self.lateness_s)
            if begun is not None:
                response = client.resume(begun, response, **options)
            elif self._user._state == STOPPING:
                return
            else:
                response = ask()

    def _carry(self, connection: DirectConnection, reader: ResponseReader, like: Response) -> BegunRequest | None:
        """Send the bytes of a request again and again; returns when the ordinary client is needed.

        That is to go on with the request that is returned, or, when there is none, to make the next one, unless the
        user is to stop. The connection was lent by the user's client, and is given back.
        """
        self._connection, self._reader = connection, reader
        self._receive, self._send = connection.plain.recv_into, connection.plain.send
        self._message, self._size = like.sent, len(like.sent)
        self._repeatable = like.method in IDEMPOTENT
        self._timeout_s = self._user.client.timeout_s
        self.lateness_s = 0.0
        self._rest()
        connection.listen(self._on_readable)
        get_hub().loop.run_callback(self._start)
        self._tally.lanes.add(self)
        begun: BegunRequest | None = None
        try:
            begun = self.wait(math.inf)
        except (ReadTimeout, GreenletExit) as error:
            if not self.asked:
                raise
            begun = self._begun(error=error)
        finally:
            self._tally.lanes.discard(self)
            self.asked = False
            connection.ignore()
            if begun is None:
                self._user.client.give_back(connection, reader)
        return begun

    def _start(self) -> None:
        if self._waiting is not None:
            self._next(time.monotonic())

    def _next(self, now_s: float) -> None:
        """Make the next request, or see to it that it is made."""
        if self._user._state != RUNNING:
            self._leave(None)
            return
        self._ask(now_s)

    def _rest(self) -> None:
        """Nothing is under way."""
        self.asked, self._odd, self._early = False, True, b""
        self._until_s = math.inf

    def _ask(self, now_s: float) -> None:
        if not self._repeatable and self._connection.stale():
            self._rest()
            self._leave(None)
            return
        self.started_s, self.asked, self._odd = now_s, True, False
        self._until_s = now_s + self._timeout_s
        try:
            sent = self._send(self._message)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._leave(self._begun(error=ConnectionLost(error.strerror or str(error))))
            return
        if sent < self._size:
            self._leave(self._begun(unsent=self._message[sent:]))

    def _on_readable(self) -> None:
        """Called by the event loop."""
        try:
            size = self._receive(_buffer)
        except BlockingIOError:
            return
        except OSError as error:
            self._on_lost(error)
            return
        now_s = time.monotonic()
        tally = self._tally
        length = tally.length
        if self._odd or size != tally.size or not _buffer.startswith(tally.head):
            length = self._understand(size, now_s)
            if length < 0:
                return
        elif not _buffer.startswith(tally.answer):
            self._tally.hear(bytes(_seen[:size]), bytes(_seen[size - length : size]), tally.content_type)
        tally.bytes += length
        tally.saying[0] += 1
        self._on_answer(now_s)

    def _on_answer(self, now_s: float) -> None:
        tally = self._tally
        elapsed_s = now_s - self.started_s
        tally.elapsed_s += elapsed_s
        counts, value_us = tally.successes, int(elapsed_s * 1e6)
        counts[value_us] = counts.get(value_us, 0) + 1
        self._next(now_s)

    def _on_lost(self, error: OSError) -> None:
        if self.asked:
            self._leave(self._begun(error=ConnectionLost(error.strerror or str(error))))
        else:
            self._connection.note_unasked()

    def _understand(self, size: int, now_s: float) -> int:
        """Look closely at what came; returns the size of the body when that completes a plain answer, or else -1."""
        if not self.asked:
            self._connection.note_unasked()  # the next request sees it
            return -1
        data = self._early + bytes(_seen[:size])
        if not self._early:
            self._first_byte_s = now_s
        self._early, self._odd = data, True
        tally = self._tally
        head, end, length = tally.fit(data) or self._parsed(data)
        if not size or head is None or length > _LARGEST_BYTES or len(data) > end + length:
            self._leave(self._begun())
            return -1
        if len(data) < end + length:
            return -1
        body = data[end:]
        if head.encoding and length:
            try:
                body = decompress(body, head.encoding.decode("latin-1"), self._user.client.max_body_bytes)
            except TransportError:
                self._leave(self._begun())
                return -1
        else:
            tally.head, tally.size, tally.length = data[:end], len(data), length
            tally.content_type = head.content_type
        tally.hear(data, body, head.content_type)
        tally.body_s += now_s - self._first_byte_s
        self._early, self._odd = b"", False
        return length

    def _parsed(self, data: bytes) -> tuple[Head | None, int, int]:
        head, end = plain_head(data) or (None, 0)
        if head is None or self._tally.names_service(head):
            return None, 0, 0
        self._tally.learn(data[:end], head)
        return head, end, head.length

    def _begun(self, unsent: bytes = b"", error: BaseException | None = None) -> BegunRequest:
        early, self._early = self._early, b""
        first_byte_s = self._first_byte_s if early else 0.0
        return BegunRequest(
            self._connection, self._reader, self._message, self.started_s, unsent, early, first_byte_s, error
        )

    def _leave(self, begun: BegunRequest | None) -> None:
        """Wake the user's greenlet; called by the event loop."""
        self._waiting.switch(begun)
