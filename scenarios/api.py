"""The phone app's HTTP traffic: starting the app, reading lists and details, sometimes writing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from _club import Member

from dbz.users import between, device_of, task


class PhoneUser(Member):
    """Starts the app, then browses posts and games with pauses."""

    weight = 13
    wait_time = between(3, 9)

    def on_start(self) -> None:
        """Log in once; the app has started when profile, club and cached data are there."""
        super().on_start()
        self.device = device_of(self.random)
        self.posts: list[dict] = []
        self.games: list[dict] = []
        self.start_app()

    @task(2)
    def start_app(self) -> None:
        """The preload of an app start: everything in parallel, as the app does it."""
        with self.composite("app_launch") as parallel:
            parallel.spawn(self.client.get, "/api/me", name="/api/me")
            parallel.spawn(self.client.get, f"/api/clubs/{self.me['club_id']}", name="/api/clubs/{id}")
            parallel.spawn(self.list_posts)
            parallel.spawn(self.list_games)

    @task(12)
    def browse_posts(self) -> None:
        """The posts screen: the list, then the authors' pictures in parallel."""
        with self.composite("page_load") as parallel:
            self.list_posts()
            pictures = {post["author"]["profile_image"] for post in self.posts[:5] if post["author"]}
            for picture in pictures:
                parallel.spawn(self.client.get, f"{picture}?w={self.device.image_px}&q=85", name="/media/{id}")

    @task(8)
    def read_post(self) -> None:
        """A post with its comments."""
        if self.posts:
            self.client.get(f"/api/posts/{self.random.choice(self.posts)['id']}", name="/api/posts/{id}")

    @task(6)
    def browse_games(self) -> None:
        """The games list, then one of them."""
        self.list_games()
        if self.games:
            self.client.get(f"/api/games/{self.random.choice(self.games)['id']}", name="/api/games/{id}")

    @task(4)
    def search(self) -> None:
        """A search, typed with the app's debounce."""
        self.client.get("/api/posts", params={"search": "training", "limit": 10}, name="/api/posts?search")

    @task(2)
    def like(self) -> None:
        """A like."""
        if self.posts:
            self.client.post(f"/api/posts/{self.random.choice(self.posts)['id']}/like", name="/api/posts/{id}/like")

    @task(2)
    def comment(self) -> None:
        """A comment."""
        if self.posts:
            post = self.random.choice(self.posts)["id"]
            self.client.post(
                f"/api/posts/{post}/comments", json={"content": "See you there!"}, name="/api/posts/{id}/comments"
            )

    @task(3)
    def scroll_on(self) -> None:
        """Near the end of the list the app fetches the next page."""
        for page in (2, 3):
            answer = self.client.get("/api/posts", params={"limit": 10, "page": page}, name="/api/posts?page")
            if not answer.ok or not answer.json()["pagination"]["has_more"]:
                return
            self.pause(1, 3)

    @task(2)
    def look_at_inbox(self) -> None:
        """The bell: what is new for this member."""
        self.client.get("/api/notifications", params={"limit": 20}, name="/api/notifications")

    @task(1)
    def look_at_members(self) -> None:
        """Who is in the club."""
        club = self.me["club_id"]
        self.client.get(f"/api/clubs/{club}/members", params={"limit": 20}, name="/api/clubs/{id}/members")

    @task(1)
    def read_chat(self) -> None:
        """The list of rooms, then what was written in the club's."""
        self.client.get("/api/rooms", name="/api/rooms")
        room = f"room:{self.me['club_id']}"
        self.client.get(f"/api/rooms/{room}/messages", params={"limit": 50}, name="/api/rooms/{id}/messages")

    @task(1)
    def take_part(self) -> None:
        """Join a game that is planned, and mostly stay; some think better of it."""
        planned = [game for game in self.games if game["status"] == "scheduled"]
        if not planned:
            return
        game = self.random.choice(planned)["id"]
        joined = self.client.post(f"/api/games/{game}/join", name="/api/games/{id}/join")
        if joined.ok and self.random.random() < 0.5:
            self.pause(1, 5)
            self.client.post(f"/api/games/{game}/leave", name="/api/games/{id}/leave")

    @task(1)
    def write_or_plan(self) -> None:
        """A post of one's own, or a game from its plan to its result: rare, as they are."""
        choice = self.random.random()
        if choice < 0.2:
            post = {"title": "Who has time on Sunday?", "content": "Two courts are free from ten to twelve."}
            self.client.post("/api/posts", json=post, name="/api/posts")
        elif choice < 0.4:
            when = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
            answer = self.client.post("/api/games", json={"title": "Doubles", "game_date": when}, name="/api/games")
            if answer.ok:
                self.pause(5, 15)
                score = {"score": {"home": 21, "away": self.random.randint(5, 19)}}
                self.client.post(f"/api/games/{answer.json()['id']}/result", json=score, name="/api/games/{id}/result")

    def list_posts(self) -> None:
        """The first window of the posts list."""
        answer = self.client.get("/api/posts", params={"limit": 10}, name="/api/posts")
        if answer.ok:
            self.posts = answer.json()["items"]

    def list_games(self) -> None:
        """Games that are on, or planned."""
        answer = self.client.get("/api/games", params={"limit": 10}, name="/api/games")
        if answer.ok:
            self.games = answer.json()["items"]
