"""A member in the chat room of a club, whatever else the member does. Copy it along with the scenario."""

from __future__ import annotations

from _club import LiveMember

EVENT = "chat"


class RoomMember(LiveMember):
    """Listens in the club's room; each message is measured until every other member has it."""

    abstract = True

    def on_start(self) -> None:
        """Connect and join."""
        self.messages = 0
        self.room = ""
        self.socket.on("message:batch", self.on_batch)
        self.socket.on("message:error", self.on_error)
        self.socket.on("message:rate_limited", self.on_error)
        super().on_start()

    def on_connected(self) -> None:
        """Join the club's room; from now on its messages are expected here."""
        room = f"room:{self.me['club_id']}"
        if self.enter("room:join", {"roomId": room}):
            self.room = room
            self.deliveries.join(EVENT, room, self.seat)

    def say(self, content: str) -> None:
        """Send one message; everybody else in the room is expected to get it."""
        if not self.socket.connected or not self.room:
            return
        self.messages += 1
        key = f"{self.seat}-{self.messages}"
        self.deliveries.sent(EVENT, self.room, key, self.seat)
        self.socket.emit("message:send", {"roomId": self.room, "tempId": key, "content": content})

    def on_batch(self, batch: dict) -> None:
        """Messages arrived."""
        for message in batch["messages"]:
            self.deliveries.received(EVENT, message["roomId"], message["tempId"], self.seat)

    def on_error(self, error: dict) -> None:
        """The server refused a message: it counts as lost when its deadline passes."""
        self.recorder.note_error("delivery", EVENT, f"refused: {error.get('error')}")

    def leave_room(self) -> None:
        """Nothing is expected here any more; before the connection goes."""
        if self.room:
            self.expect_no_more(EVENT, self.room)

    def on_stop(self) -> None:
        """Leave the room before the connection goes."""
        self.leave_room()
        super().on_stop()
