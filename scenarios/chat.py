"""Chat: members of a club's room talk; each message is measured until every other member has it."""

from __future__ import annotations

from _room import RoomMember

from dbz.users import between, task


class ChatMember(RoomMember):
    """Listens in the club's room and says something now and then, well within 30 messages a minute."""

    weight = 10
    wait_time = between(15, 45)

    def on_start(self) -> None:
        """Connect, join, and stay quiet for a first pause, so that not everybody talks at once."""
        super().on_start()
        self.pause(0, 30)

    @task
    def talk(self) -> None:
        """Send one message."""
        self.say(f"Anyone for a game at {self.random.randint(6, 9)}?")
