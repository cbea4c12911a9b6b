"""What the club scenarios share: who a virtual user is, and logging in. Copy it along with the scenario."""

from __future__ import annotations

from dbz.users import HttpUser, SocketUser

MEMBERS_PER_CLUB = 200


class Member(HttpUser):
    """A logged-in member of a demo club. Seats go round the clubs, so that every club gets its share of users."""

    abstract = True
    seat_group = "members"

    def on_start(self) -> None:
        """Log in; every later request carries the token."""
        club, place = self.place()
        self.user_name = f"user{club * MEMBERS_PER_CLUB + place % MEMBERS_PER_CLUB:04d}"
        self.token, self.me = "", {}
        while not self.token:
            self.log_in()

    def place(self) -> tuple[int, int]:
        """Which club this user belongs to, and which of its members it is."""
        clubs = self.session.spec.clubs
        return self.seat % clubs, self.seat // clubs

    def log_in(self) -> None:
        """Get a token, and who we are."""
        login = self.client.post(
            "/api/auth/login", json={"username": self.user_name, "password": "demo"}, name="/api/auth/login"
        )
        if not login.ok:
            self.pause(1, 3)
            return
        self.token = login.json()["access_token"]
        self.client.headers["Authorization"] = f"Bearer {self.token}"
        self.me = self.client.get("/api/me", name="/api/me").json()


class LiveMember(Member, SocketUser):
    """A member whose app also holds a Socket.IO connection."""

    abstract = True

    def on_start(self) -> None:
        """Log in and connect; `on_connected` joins the rooms."""
        super().on_start()
        self.socket.connect({"token": self.token})
