"""The club app on phones: preloads, windowed lists, debounced search, own caches, chat and scores while browsing.

Where people go is in phone.yaml beside this file, how phones differ in `dbz.load.generator.phone.screen`.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import gevent
from _room import RoomMember
from score import Scorer

from dbz.users import ListWindow, constant, debounced, device_of, read_behaviour, task, throttled

BEHAVIOUR = read_behaviour(Path(__file__).with_name("phone.yaml"))
SCORE = "score"
PAGE_ROWS = 20
IMAGE_GROUP = 5
IMAGE_CACHE_BYTES = 24_000_000
FULL = 0.8
WATCH_S = 30
WORDS = ("training", "doubles", "tournament", "racket", "sunday")
LONGEST_RECONNECT_S = 2


class Phone(RoomMember):
    """Starts the app, then goes from screen to screen."""

    weight = 50
    care = ("debounce", "etag", "images", "window", "cache")
    wait_time = constant(0)

    def on_start(self) -> None:
        """The app is opened: log in, connect, load what the first screen needs."""
        self.device = device_of(self.random)
        self.screen = BEHAVIOUR.start
        self.copies: dict[str, dict] = {}
        self.images: dict[str, int] = {}
        self.game = ""
        self.socket.on("game:score_updated", self.on_score)
        self.client.conditional = self.takes_care("etag")
        super().on_start()
        self.launch()
        self.background(self.watch_memory)
        self.pause(0, 10)  # not everybody opens the app at the same time

    @task
    def use(self) -> None:
        """One screen: what it loads, then somebody looks at it, and goes on."""
        getattr(self, f"show_{self.screen}")()
        gevent.sleep(BEHAVIOUR.think_s(self.screen, self.random))
        self.leave_game()
        self.screen = BEHAVIOUR.after(self.screen, self.random)

    def launch(self) -> None:
        """Profile, club and what was seen last, in parallel; the rest when the app can be used."""
        club = self.me["club_id"]
        with self.composite("app_launch") as parallel:
            parallel.spawn(self.get, "/api/me", "/api/me")
            parallel.spawn(self.get, f"/api/clubs/{club}", "/api/clubs/{id}")
            parallel.spawn(self.page, "/api/posts", 1)
            parallel.spawn(self.page, "/api/games", 1)
        self.background(self.load_lazily)

    def load_lazily(self) -> None:
        """What nobody waits for."""
        self.get("/api/notifications?limit=20", "/api/notifications")
        self.get("/api/rooms", "/api/rooms")

    def get(self, path: str, name: str) -> Any:
        """What the server says, or the copy of what it said before when it does not answer."""
        answer = self.client.get(path, name=name)
        if answer.ok:
            self.copies[path] = answer.json()
        elif path in self.copies and self.takes_care("cache"):
            self.count("copies shown instead of answers")
        else:
            self.copies.pop(path, None)
        return self.copies.get(path, {})

    def page(self, path: str, number: int) -> list[dict]:
        """The rows of a page of a list."""
        name = path if number == 1 else f"{path}?page"
        return self.get(f"{path}?limit={PAGE_ROWS}&page={number}", name).get("items", [])

    def show_posts(self) -> None:
        """The posts, with their authors' pictures and those of the gallery; then somebody scrolls."""
        self.show_list(
            "posts", "/api/posts", lambda post: [(post.get("author") or {}).get("profile_image"), post.get("image")]
        )

    def show_games(self) -> None:
        """The games, which have no pictures."""
        self.show_list("games", "/api/games", lambda _game: [])

    def show_members(self) -> None:
        """Who is in the club."""
        path = f"/api/clubs/{self.me['club_id']}/members"
        self.show_list("members", path, lambda member: [member.get("profile_image")], "/api/clubs/{id}/members")

    def show_list(self, screen: str, path: str, pictures: Any, name: str = "") -> None:
        """The first rows with their pictures, then batches of rows, and pages shortly before they are needed."""
        window, rows = ListWindow(), []

        def load() -> None:
            url = f"{path}?limit={PAGE_ROWS}&page={window.page + 1}"
            answer = self.get(url, (name or path) + ("?page" if window.page else ""))
            rows.extend(answer.get("items", []))
            window.load(len(answer.get("items", [])), more=bool(answer.get("pagination", {}).get("has_more")))

        with self.composite(f"page_load{{screen={screen}}}"):
            load()
            if not self.takes_care("window"):  # the whole list at once, and all its pictures
                while not window.ended:
                    load()
                while window.shown < window.loaded:
                    window.scroll()
            self.load_images([one for row in rows[: window.shown] for one in pictures(row)])
        for _ in range(self.random.randint(0, 6)):
            self.pause(0.5, 2)
            self.load_images([one for number in window.scroll() for one in pictures(rows[number])])
            if window.wants_page:
                load()

    def load_images(self, pictures: list[str | None]) -> None:
        """Pictures as wide as this phone's screen that it does not have yet, in groups."""
        size = f"?w={self.device.image_px}&q=85" if self.takes_care("images") else ""
        urls = dict.fromkeys(f"{one}{size}" for one in pictures if one)
        missing = [url for url in urls if url not in self.images]
        for first in range(0, len(missing), IMAGE_GROUP):
            gevent.joinall([gevent.spawn(self.load_image, url) for url in missing[first : first + IMAGE_GROUP]])

    def load_image(self, url: str) -> None:
        """One picture, kept by the phone."""
        answer = self.client.get(url, name="/media/{id}", conditional=False)
        if answer.ok and self.takes_care("cache"):
            self.images[url] = len(answer.content)

    def show_post(self) -> None:
        """A post with its comments; some like it."""
        posts = self.copies.get(f"/api/posts?limit={PAGE_ROWS}&page=1", {}).get("items")
        if not posts:
            return
        post = self.random.choice(posts)["id"]
        with self.composite("page_load{screen=post}"):
            self.load_images([self.get(f"/api/posts/{post}", "/api/posts/{id}").get("image")])
        if self.random.random() < 0.1:
            self.client.post(f"/api/posts/{post}/like", name="/api/posts/{id}/like")

    def show_game(self) -> None:
        """One of the club's games; while it is on, its score comes by itself."""
        club, _ = self.place()
        game = f"club{club:02d}-g{self.random.randrange(10):02d}"
        with self.composite("page_load{screen=game}"):
            self.get(f"/api/games/{game}", "/api/games/{id}")
        if self.socket.connected and self.is_let_in("game:join", {"gameId": game}):
            self.deliveries.join(SCORE, game, self.seat)
            self.game = game

    def leave_game(self) -> None:
        """Scores are expected here no longer."""
        game, self.game = self.game, ""
        if game:
            self.expect_no_more(SCORE, game)
            self.socket.emit("game:leave", {"gameId": game})

    def on_score(self, update: dict) -> None:
        """A score arrived."""
        score = update["score"]
        self.deliveries.received(SCORE, update["gameId"], (score["home"], score["away"]), self.seat)

    def show_search(self) -> None:
        """A word typed key by key; the app asks when nobody has typed for 0.3 s."""
        word, moments_s, at_s = self.random.choice(WORDS), [], 0.0
        for _ in word:
            at_s += self.random.uniform(0.08, 0.4)
            moments_s.append(at_s)
        began_s = time.monotonic()
        every_key = [(moment_s, key) for key, moment_s in enumerate(moments_s)]
        for moment_s, key in debounced(moments_s) if self.takes_care("debounce") else every_key:
            gevent.sleep(max(began_s + moment_s - time.monotonic(), 0))
            self.get(f"/api/posts?search={word[: key + 1]}&limit=10", "/api/posts?search")

    def show_chat(self) -> None:
        """What was written, and mostly an answer to it, typed key by key."""
        room = f"room:{self.me['club_id']}"
        with self.composite("page_load{screen=chat}"):
            self.get(f"/api/rooms/{room}/messages?limit=50", "/api/rooms/{id}/messages")
        if self.random.random() < 0.6:
            text, moments_s = f"Anyone at {self.random.randint(6, 9)}?", [0.0]
            for _ in text[1:]:
                moments_s.append(moments_s[-1] + self.random.uniform(0.05, 0.4))
            began_s = time.monotonic()
            for key in throttled(moments_s):
                gevent.sleep(max(began_s + moments_s[key] - time.monotonic(), 0))
                self.socket.emit_volatile("typing", {"roomId": room})
            self.say(text)

    def show_away(self) -> None:
        """The app goes to the background, and its connection with it; it comes back at a moment of its own."""
        self.leave_room()
        self.socket.disconnect()
        gevent.sleep(BEHAVIOUR.think_s("away", self.random))
        self.pause(0, LONGEST_RECONNECT_S)
        self.socket.connect(lambda: {"token": self.token})
        self.launch()

    def watch_memory(self) -> None:
        """Every 30 s; the pictures go when they fill the cache by more than four fifths."""
        while True:
            gevent.sleep(WATCH_S)
            if sum(self.images.values()) > FULL * IMAGE_CACHE_BYTES:
                self.images.clear()


Scorer.weight = 1

__all__ = ["Phone", "Scorer"]
