"""The phone app's HTTP traffic: starting the app, reading lists and details, sometimes writing."""

from __future__ import annotations

from _club import Member

from dbz.users import between, task

SCREEN_PX = 750


class PhoneUser(Member):
    """Starts the app, then browses posts and games with pauses."""

    weight = 13
    wait_time = between(3, 9)

    def on_start(self) -> None:
        """Log in once; the app has started when profile, club and cached data are there."""
        super().on_start()
        self.posts: list[dict] = []
        self.games: list[dict] = []
        self.start_app()

    @task(1)
    def start_app(self) -> None:
        """The preload of an app start: everything in parallel, as the app does it."""
        with self.composite("app_launch") as parallel:
            parallel.spawn(self.client.get, "/api/me", name="/api/me")
            parallel.spawn(self.client.get, f"/api/clubs/{self.me['club_id']}", name="/api/clubs/{id}")
            parallel.spawn(self.list_posts)
            parallel.spawn(self.list_games)

    @task(6)
    def browse_posts(self) -> None:
        """The posts screen: the list, then the authors' pictures in parallel."""
        with self.composite("page_load") as parallel:
            self.list_posts()
            pictures = {post["author"]["profile_image"] for post in self.posts[:5] if post["author"]}
            for picture in pictures:
                parallel.spawn(self.client.get, f"{picture}?w={SCREEN_PX}&q=85", name="/media/{id}")

    @task(4)
    def read_post(self) -> None:
        """A post with its comments."""
        if self.posts:
            self.client.get(f"/api/posts/{self.random.choice(self.posts)['id']}", name="/api/posts/{id}")

    @task(3)
    def browse_games(self) -> None:
        """The games list, then one of them."""
        self.list_games()
        if self.games:
            self.client.get(f"/api/games/{self.random.choice(self.games)['id']}", name="/api/games/{id}")

    @task(2)
    def search(self) -> None:
        """A search, typed with the app's debounce."""
        self.client.get("/api/posts", params={"search": "training", "limit": 10}, name="/api/posts?search")

    @task(1)
    def like(self) -> None:
        """A like."""
        if self.posts:
            self.client.post(f"/api/posts/{self.random.choice(self.posts)['id']}/like", name="/api/posts/{id}/like")

    @task(1)
    def comment(self) -> None:
        """A comment."""
        if self.posts:
            post = self.random.choice(self.posts)["id"]
            self.client.post(
                f"/api/posts/{post}/comments", json={"content": "See you there!"}, name="/api/posts/{id}/comments"
            )

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
