"""Sockets as Python: connecting, what is sent, what is done with what arrives; Socket.IO, or messages as they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dbz.bring import names
from dbz.bring.messages import BINARY, TEXT, MessageKind
from dbz.bring.steps import Connect, Delivery, Emit, Flow, Handler
from dbz.bring.values import Expression, Formatted, Location, code, lookup, quoted, replaced, value_at
from dbz.bring.writing.requests import called, kept

_USUAL_PATHS = ("/socket.io/", "/socket.io")
"""Where servers of Socket.IO listen unless they are told otherwise."""
_LONGEST_BYTES = 4096
"""Longer binary messages are as many zeros: a scenario is for people to read."""


def registration_lines(flow: Flow) -> Iterator[str]:
    """The lines of `on_start` that say who handles which event."""
    for handler in flow.handlers if not flow.raw else ():
        on = f"self.socket{_of(handler.namespace)}.on"
        yield f"        {on}({quoted(handler.event)}, self.{_handler_name(handler)})"


def connect_lines(connect: Connect) -> Iterator[str]:
    """The lines that connect."""
    arguments = [f"path={code(connect.path)}"] if connect.raw or connect.path not in _USUAL_PATHS else []
    if connect.query:
        arguments.append(f"query={code(connect.query, 12)}")
    if connect.protocols:
        listed = ", ".join(code(protocol) for protocol in connect.protocols)
        arguments.append(f"subprotocols=({listed},)")
    if arguments:
        kind = "WebSocketOptions" if connect.raw else "SocketOptions"
        yield f"        self.socket.options = {called(kind, arguments, 8)}"
    yield f"        self.socket.connect({code(connect.auth, 8) if connect.auth else ''})"


def emit_lines(emit: Emit) -> Iterator[str]:
    """The lines that send an event or a message."""
    arguments = list(emit.arguments)
    if emit.delivery:
        yield "        self.messages += 1"
        yield '        key = f"{self.seat}-{self.messages}"'
        arguments = _with_key(emit, emit.delivery)
        room = code(_argument(emit, emit.delivery.room_sent)) if emit.delivery.room_sent else '""'
        yield f"        self.deliveries.sent({quoted(emit.delivery.received_event)}, {room}, key, self.seat)"
    yield f"        {'answer = ' if emit.keeps else ''}{_sending(emit, arguments)}"
    yield from kept(emit.keeps)
    if emit.joins:
        room = code(_argument(emit, emit.joins.room))
        yield f"        self.deliveries.join({quoted(emit.joins.event)}, {room}, self.seat)"


def _sending(emit: Emit, arguments: Sequence[object]) -> str:
    if not emit.raw:
        verb = "call" if emit.asks_answer else "emit"
        given = [quoted(emit.event), *(code(argument, 12) for argument in arguments)]
        return called(f"self.socket{_of(emit.namespace)}.{verb}", given, 8)
    message = _message(arguments[0])
    if emit.answer is None:
        return called("self.socket.send", [message], 8)
    python_type = {TEXT: "str", BINARY: "bytes"}.get(emit.answer_kind, "dict")
    match = code(emit.answer, 12) if emit.answer else f"lambda message: isinstance(message, {python_type})"
    return called("self.socket.request", [message, match, f"name={quoted(emit.event)}"], 8)


def _message(message: object) -> str:
    if isinstance(message, bytes) and len(message) > _LONGEST_BYTES:
        return f"bytes({len(message)})"
    return code(message, 12)


def join_lines(flow: Flow) -> Iterator[str]:
    """The lines that say who receives messages that name no room: everybody who is connected."""
    for event in _without_room(flow):
        yield f'        self.deliveries.join({quoted(event)}, "", self.seat)'


def leave_lines(flow: Flow, joins: Sequence[Emit]) -> Iterator[str]:
    """The lines that say that nothing is received from now on."""
    for event in _without_room(flow):
        yield f'        self.deliveries.leave({quoted(event)}, "", self.seat)'
    for emit in joins:
        if emit.joins:
            room = code(_argument(emit, emit.joins.room))
            yield f"        self.deliveries.leave({quoted(emit.joins.event)}, {room}, self.seat)"


def _without_room(flow: Flow) -> list[str]:
    delivered = [handler.delivery for handler in flow.handlers if handler.delivery]
    return [delivery.received_event for delivery in delivered if delivery.room_received is None]


def handler_lines(flow: Flow) -> Iterator[str]:
    """The methods that take what arrives."""
    if not flow.raw:
        for handler in flow.handlers:
            yield from ("", f"    def {_handler_name(handler)}(self, *arguments):")
            yield f'        """`{in_words(handler.event)}` arrived."""'
            yield from _handling(handler, "        ")
        return
    handled = [handler for handler in flow.handlers if handler.keeps or handler.delivery]
    if handled:
        yield from ("", "    def on_message(self, message):", '        """A message arrived."""')
    for number, handler in enumerate(handled):
        yield f"        {'elif' if number else 'if'} {_condition(handler.kind or MessageKind(handler.event), handler)}:"
        yield from _handling(handler, "            ")


def _handling(handler: Handler, indent: str) -> Iterator[str]:
    raw = handler.kind is not None
    for keep in handler.keeps:
        yield f"{indent}self.{keep.attribute} = {keep.code}"
    if handler.delivery:
        yield from _received(handler.delivery, indent, raw=raw)


def _condition(kind: MessageKind, handler: Handler) -> str:
    """Whether a message is of a kind, as Python."""
    if kind.location and isinstance(kind.location[0], str):
        return f"isinstance(message, dict) and message.get({quoted(kind.location[0])}) == {quoted(kind.name)}"
    if kind.location:
        place = int(kind.location[0])
        return f"isinstance(message, list) and message[{place}:{place + 1}] == [{quoted(kind.name)}]"
    if kind.name in (TEXT, BINARY):
        return f"isinstance(message, {'str' if kind.name == TEXT else 'bytes'})"
    first = handler.delivery.key_received[1:2] if handler.delivery else ()
    return "isinstance(message, dict)" + "".join(
        f" and {quoted(key)} in message" for key in first if isinstance(key, str)
    )


def _received(delivery: Delivery, indent: str, *, raw: bool) -> Iterator[str]:
    """Lines that note the receipt of every message that an event brings."""
    holder, depth = "arguments", 0
    key, room = delivery.key_received, delivery.room_received
    if raw:
        holder, key, room = "message", key[1:], room[1:] if room is not None else None
    while "*" in key:
        place, depth = key.index("*"), depth + 1
        name = ("part" if raw else "message") + (str(depth) if depth > 1 else "")
        yield f"{indent}for {name} in {holder}{lookup(key[:place])}:"
        room = room[place + 1 :] if room and room[: place + 1] == key[: place + 1] else None
        holder, key, indent = name, key[place + 1 :], indent + "    "
    at_room = f"{holder}{lookup(room)}" if room else '""'
    event, at_key = quoted(delivery.received_event), f"{holder}{lookup(key)}"
    yield f"{indent}self.deliveries.received({event}, {at_room}, {at_key}, self.seat)"


def _with_key(emit: Emit, delivery: Delivery) -> list[object]:
    changed: list[object] = replaced(
        list(emit.arguments), lambda place, value: Expression("key") if place == delivery.key_sent else value
    )
    return changed


def _argument(emit: Emit, location: Location | None) -> object:
    value: str | Formatted | Expression = value_at(emit.arguments, location or ())
    return value


def _of(namespace: str) -> str:
    return "" if namespace == "/" else f".of({quoted(namespace)})"


def _handler_name(handler: Handler) -> str:
    return f"on_{names.snake(handler.event)}"


def in_words(text: str) -> str:
    """A text as part of a docstring."""
    return text.replace("\\", "\\\\").replace('"', "'")
