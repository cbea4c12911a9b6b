"""Chat: members of a club's room talk; each message is measured until every other member has it."""

from __future__ import annotations

from _club import LiveMember

from dbz.users import between, task

EVENT = "chat"


class ChatMember(LiveMember):
    """Listens in the club's room and says something now and then, well within 30 messages a minute."""

    weight = 10
    wait_time = between(15, 45)

    def on_start(self) -> None:
        """Connect, join, and stay quiet for a first pause, so that not everybody talks at once."""
        self.messages = 0
        self.socket.on("message:batch", self.on_batch)
        self.socket.on("message:error", self.on_error)
        self.socket.on("message:rate_limited", self.on_error)
        super().on_start()
        self.pause(0, 30)

    def on_connected(self) -> None:
        """Join the club's room; from now on its messages are expected here."""
        self.room = f"room:{self.me['club_id']}"
        if self.socket.call("room:join", {"roomId": self.room}) is not None:
            self.deliveries.join(EVENT, self.room, self.seat)

    @task
    def talk(self) -> None:
        """Send one message; everybody else in the room is expected to get it."""
        if not self.socket.connected:
            return
        self.messages += 1
        key = f"{self.seat}-{self.messages}"
        self.deliveries.sent(EVENT, self.room, key, self.seat)
        message = {"roomId": self.room, "tempId": key, "content": f"Anyone for a game at {self.random.randint(6, 9)}?"}
        self.socket.emit("message:send", message)

    def on_batch(self, batch: dict) -> None:
        """Messages arrived."""
        for message in batch["messages"]:
            self.deliveries.received(EVENT, message["roomId"], message["tempId"], self.seat)

    def on_error(self, error: dict) -> None:
        """The server refused a message: it counts as lost when its deadline passes."""
        self.recorder.note_error("delivery", EVENT, f"refused: {error.get('error')}")

    def on_stop(self) -> None:
        """Leave the room before the connection goes."""
        if self.socket.connected:
            self.deliveries.leave(EVENT, self.room, self.seat)
        super().on_stop()
