"""What the club scenarios share: who a virtual user is, and logging in. Copy it along with the scenario."""

from __future__ import annotations

from dbz.users import HttpUser, SocketUser

MEMBERS_PER_CLUB = 200


class Member(HttpUser):
    """A logged-in member of a demo club.

    Users go round the clubs, so that every club gets its share of them; where their number grows, as in `dbz capacity`,
    they fill one club after another, so that a club keeps its size.
    """

    abstract = True
    seat_group = "members"

    def on_start(self) -> None:
        """Log in; every later request carries the token."""
        club, place = self.place()
        self.user_name = f"user{club * MEMBERS_PER_CLUB + place % MEMBERS_PER_CLUB:04d}"
        self.token, self.me = "", {}
        while not self.token:
            self.log_in()
        self.me = self.client.get("/api/me", name="/api/me").json()
        self.background(self.stay_signed_in)

    def place(self) -> tuple[int, int]:
        """Which club this user belongs to, and which of its members it is."""
        return self.session.place_of(self.seat_group, self.slot)

    def log_in(self) -> None:
        """Get tokens."""
        login = self.client.post(
            "/api/auth/login", json={"username": self.user_name, "password": "demo"}, name="/api/auth/login"
        )
        if not login.ok:
            self.pause(1, 3)
            return
        self.take_tokens(login.json())

    def take_tokens(self, answer: dict) -> None:
        """Every request from now on carries the new token, and so does the next connect of a socket."""
        self.token, self.refresh_token = answer["access_token"], answer.get("refresh_token", "")
        self.expires_in_s = answer.get("expires_in", 900)
        self.client.headers["Authorization"] = f"Bearer {self.token}"

    def stay_signed_in(self) -> None:
        """Renew the tokens before they expire, as the app does; who is refused logs in again."""
        while True:
            self.pause(0.5 * self.expires_in_s, 0.75 * self.expires_in_s)
            body = {"refresh_token": self.refresh_token}
            answer = self.client.post("/api/auth/refresh", json=body, name="/api/auth/refresh")
            if answer.ok:
                self.take_tokens(answer.json())
            else:
                self.log_in()


class LiveMember(Member, SocketUser):
    """A member whose app also holds a Socket.IO connection."""

    abstract = True

    def on_start(self) -> None:
        """Log in and connect; `on_connected` joins the rooms."""
        super().on_start()
        self.socket.connect(lambda: {"token": self.token})

    def take_tokens(self, answer: dict) -> None:
        """The socket goes on with the new token, else it would be closed when the old one expires."""
        super().take_tokens(answer)
        if self.socket.connected:
            self.socket.emit("auth:renew", {"token": self.token})

    def is_let_in(self, event: str, payload: dict) -> bool:
        """Ask once to be let in; a refusal is an answer too, and is noted."""
        answer = self.socket.call(event, payload)
        if not answer or answer[0].get("ok", True):
            return bool(answer)
        self.recorder.note_error("ack", event, f"refused: {answer[0].get('error')}")
        return False

    def enter(self, event: str, payload: dict) -> bool:
        """Ask to be let in until the server does so, or the connection is gone; whether this member is in.

        Who asks once only would be outside for ever after a moment in which the server was overloaded.
        """
        while self.socket.connected:
            if self.is_let_in(event, payload):
                return True
            self.pause(1, 5)
        return False

    def expect_no_more(self, event: str, channel: str) -> None:
        """Nothing is expected here any more; what a member missed who was kept from being connected stays lost."""
        (self.deliveries.leave if self.socket.connected else self.deliveries.depart)(event, channel, self.seat)
