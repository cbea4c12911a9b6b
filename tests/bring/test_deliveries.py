"""Which receipt belongs to which message of another user."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dbz.bring.deliveries import find_deliveries
from dbz.bring.sockets import SocketEvent, SocketSession


def chat(tells_sender: bool, later_s: float, texts: list[str]) -> list[SocketSession]:
    """Two tabs that enter a room, and say things in turn, of which the server tells the other, or everybody."""
    tabs = [SocketSession("http://h", "/", f"tab{number}", 0.0) for number in range(2)]
    for number, tab in enumerate(tabs):
        tab.events.append(SocketEvent(number * later_s, True, "room:join", [{"roomId": "r-0123456789abcdef"}]))
    for number, text in enumerate(texts):
        at_s = 2 * later_s + number * 0.1
        message = {"roomId": "r-0123456789abcdef", "tempId": f"k{number}", "content": text}
        tabs[number % 2].events.append(SocketEvent(at_s, True, "message:send", [message]))
        for listener, tab in enumerate(tabs):
            if tells_sender or listener != number % 2:
                tab.events.append(SocketEvent(at_s + 0.01, False, "message:batch", [{"messages": [message]}]))
    return tabs


@given(
    st.booleans(),
    st.floats(0.01, 4.0),
    st.lists(st.text("abc", min_size=1, max_size=30), min_size=1, max_size=6, unique=True),
)
def test_what_comes_back_to_its_sender_is_of_nobody_else(tells_sender: bool, later_s: float, texts: list[str]) -> None:
    (delivery,) = find_deliveries(chat(tells_sender, later_s, texts))
    assert (delivery.sent_event, delivery.received_event) == ("message:send", "message:batch")
    assert delivery.key_sent[-1] == "tempId" and delivery.room_sent == (0, "roomId")


def test_that_somebody_entered_a_room_is_no_delivery_of_the_room() -> None:
    first, second = (SocketSession("http://h", "/", name, 0.0) for name in "ab")
    first.events.append(SocketEvent(0.0, True, "room:join", [{"roomId": "r-0123456789abcdef"}]))
    second.events.append(SocketEvent(0.1, False, "member:joined", [{"roomId": "r-0123456789abcdef", "name": "ann"}]))
    assert find_deliveries([first, second]) == []
