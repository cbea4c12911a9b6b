"""Notifications: members notify each other; each notification is measured until its recipient has it."""

from __future__ import annotations

from collections import defaultdict
from typing import ClassVar

from _club import LiveMember

from dbz.users import between, task

EVENT = "notification"


class NotifiedMember(LiveMember):
    """Waits for notifications and sends one to another member now and then."""

    weight = 1
    seat_group = "notified"
    wait_time = between(4, 12)
    own_requests_per_s = 1 / 8
    online: ClassVar[dict[str, list[str]]] = defaultdict(list)

    def place(self) -> tuple[int, int]:
        """Members from the middle of each club."""
        club, place = super().place()
        return club, 90 + place % 10

    def on_start(self) -> None:
        """Connect; whoever is connected can be notified."""
        self.sent = 0
        self.socket.on("notification:new", self.on_notification)
        super().on_start()
        self.online[self.me["club_id"]].append(self.me["id"])

    def on_connected(self) -> None:
        """From now on this member's notifications are expected here."""
        self.deliveries.join(EVENT, self.me["id"], self.seat)

    @task
    def notify(self) -> None:
        """Notify another member who is connected."""
        others = [user for user in self.online[self.me["club_id"]] if user != self.me["id"]]
        if not others or not self.socket.connected:
            return
        self.sent += 1
        recipient, title = self.random.choice(others), f"Training {self.seat}-{self.sent}"
        self.deliveries.sent(EVENT, recipient, title, self.seat)
        body = {"user_id": recipient, "type": "notice", "title": title, "body": "The hall opens at seven."}
        answer = self.client.post("/api/notifications", json=body, name="/api/notifications")
        if not answer.ok:
            self.deliveries.unsent(EVENT, recipient, title)

    def on_notification(self, notification: dict) -> None:
        """A notification arrived."""
        self.deliveries.received(EVENT, self.me["id"], notification["title"], self.seat)

    def on_stop(self) -> None:
        """Nothing is expected here any more, and nobody notifies who is gone."""
        if self.me.get("id") in (online := self.online[self.me.get("club_id", "")]):
            online.remove(self.me["id"])
        if "id" in self.me:
            self.expect_no_more(EVENT, self.me["id"])
        super().on_stop()
