"""Live scores: a scorer updates a game; each update is measured until every spectator has it."""

from __future__ import annotations

import time
from typing import ClassVar

from _club import LiveMember

from dbz.users import between, task

EVENT = "score"
GAMES_PER_CLUB = 10
SHORTEST_RALLY_S = 1.1


class Spectator(LiveMember):
    """Watches one of the club's ongoing games."""

    weight = 9
    seat_group = "spectators"
    wait_time = between(5, 10)

    def place(self) -> tuple[int, int]:
        """Spectators are the club's last members, so that they are nobody else at the same time."""
        club, place = super().place()
        return club, 199 - place % 100

    def on_start(self) -> None:
        """Find a game, connect and watch."""
        self.game = ""
        self.socket.on("game:score_updated", self.on_score)
        super().on_start()

    def on_connected(self) -> None:
        """Join the game; from now on its updates are expected here."""
        club, place = super().place()
        game = f"club{club:02d}-g{place % GAMES_PER_CLUB:02d}"
        if self.enter("game:join", {"gameId": game}):
            self.game = game
            self.deliveries.join(EVENT, game, self.seat)

    def on_score(self, update: dict) -> None:
        """A score arrived."""
        score = update["score"]
        self.deliveries.received(EVENT, update["gameId"], (score["home"], score["away"]), self.seat)

    @task
    def watch(self) -> None:
        """A spectator's phone only listens."""

    def on_stop(self) -> None:
        """Leave the game before the connection goes."""
        if self.game:
            self.expect_no_more(EVENT, self.game)
        super().on_stop()


class Scorer(LiveMember):
    """The host of a game, who counts its points: at most one update a second, within 10 in 10 s.

    With more scorers than games several devices of a host count one game. Its score is theirs together, and they take
    turns: of two updates at once the server would only pass on the newer one.
    """

    weight = 1
    seat_group = "scorers"
    wait_time = between(SHORTEST_RALLY_S, 3)
    scores: ClassVar[dict[str, dict[str, int]]] = {}
    counted_s: ClassVar[dict[str, float]] = {}

    def place(self) -> tuple[int, int]:
        """The n-th member of a club hosts its n-th ongoing game."""
        club, place = super().place()
        return club, place % GAMES_PER_CLUB

    def on_connected(self) -> None:
        """Join the game that this member hosts."""
        club, number = self.place()
        self.game = f"club{club:02d}-g{number:02d}"
        self.score = self.scores.setdefault(self.game, {"home": 0, "away": 0})
        self.enter("game:join", {"gameId": self.game})

    @task
    def point(self) -> None:
        """A point for one side; every spectator of the game is expected to see it."""
        now_s = time.monotonic()
        if not self.socket.connected or now_s - self.counted_s.get(self.game, 0.0) < SHORTEST_RALLY_S:
            return
        self.counted_s[self.game] = now_s
        side = self.random.choice(("home", "away"))
        self.score[side] += 1
        key = (self.score["home"], self.score["away"])
        self.deliveries.sent(EVENT, self.game, key, "scorer")
        self.socket.emit("game:score_update", {"gameId": self.game, "score": dict(self.score)})
