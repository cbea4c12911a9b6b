"""Routes of content."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel

from dbz.server.content.posts import Category, Posts, PostsQuery
from dbz.server.content.reads import ReadMarks
from dbz.server.core import Core
from dbz.server.http import Body, Call, Fields, Repeated, Reply, Route
from dbz.server.http.errors import ApiError, forbidden, not_found
from dbz.server.http.pages import page_block
from dbz.server.http.schemas import BOOLEAN, COMMENT, INTEGER, POST, items, listed, record
from dbz.server.seams import EventHandler, Events, Indexes, Pictures, Profiles

Title = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(min_length=1, max_length=20_000)]


class NewPost(Body):
    """Body of a new post."""

    title: Title
    content: Text
    category: Category = "free"
    status: Literal["published", "draft"] = "published"
    pinned: bool = False
    image: Annotated[str, Field(max_length=100)] | None = None


class NewComment(Body):
    """Body of a new comment."""

    content: Annotated[str, Field(min_length=1, max_length=2000)]


class Like(Body):
    """Body of a like; `liked: false` takes it back."""

    liked: bool = True


INDEXES = (
    Indexes(
        "posts",
        (
            IndexModel(
                [("club_id", ASCENDING), ("status", ASCENDING), ("pinned", DESCENDING), ("created_at", DESCENDING)]
            ),
        ),
    ),
    Indexes(
        "comments", (IndexModel([("post_id", ASCENDING), ("_id", ASCENDING)]), IndexModel([("club_id", ASCENDING)]))
    ),
    Indexes("read_marks", (IndexModel([("club_id", ASCENDING)]),)),
)


class ContentService:
    """Posts as readers see them."""

    name = "content"
    indexes = INDEXES

    def __init__(self, core: Core, profiles: Profiles, happenings: Events, pictures: Pictures) -> None:
        self._posts = Posts(core, profiles)
        self._pictures = pictures
        self._reads = ReadMarks(core)
        self._happenings = happenings
        self.events: dict[str, EventHandler] = {}
        path, comments = "/api/posts/{post_id}", "/api/posts/{post_id}/comments"
        liked = record(liked=BOOLEAN, like_count=INTEGER)
        self.routes = (
            Route(
                "GET", "/api/posts", self.list_posts, "Published posts", query=PostsQuery, answers={200: listed(POST)}
            ),
            Route("POST", "/api/posts", self.create, "Write a post", body=NewPost, answers={201: POST}),
            Route("GET", path, self.detail, "A post", query=Fields, answers={200: POST}),
            Route("GET", comments, self.comments, "Comments", query=Fields, answers={200: items(COMMENT)}),
            Route("POST", comments, self.comment, "Comment", body=NewComment, answers={201: COMMENT}),
            Route("POST", f"{path}/like", self.like, "Like a post", body=Like, answers={200: liked}),
        )

    async def start(self) -> None:
        """Nothing runs in the background."""

    async def stop(self) -> None:
        """Nothing runs in the background."""

    async def list_posts(self, call: Call) -> Repeated:
        """GET /api/posts."""
        reader, query = call.reader, call.query
        rows, total = await self._posts.page(reader.club_id, query)
        marked = set(await self._reads.of(reader.club_id, reader.user_id))
        read = tuple([row["id"] in marked for row in rows]) if marked else (False,) * len(rows)

        def make() -> dict[str, Any]:
            items = [{**row, "is_read": is_read} for row, is_read in zip(rows, read, strict=True)]
            return {"items": items, "pagination": page_block(query, total)}

        # Readers who have read the same of them see the same.
        return Repeated((reader.club_id, read), (rows, total), make)

    async def detail(self, call: Call) -> Reply:
        """GET /api/posts/{post_id}; from now on the reader has read it."""
        post = await self._visible(call)
        comments = await self._posts.comments(call.reader.club_id, post["id"])
        await self._reads.mark(call.reader.club_id, call.reader.user_id, post["id"])
        return Reply({**post, "is_read": True, "comments": comments})

    async def comments(self, call: Call) -> Reply:
        """GET /api/posts/{post_id}/comments."""
        post = await self._visible(call)
        return Reply({"items": await self._posts.comments(call.reader.club_id, post["id"])})

    async def create(self, call: Call) -> Reply:
        """POST /api/posts; only an admin pins. `image` is the id of a picture of the club."""
        body: NewPost = await call.body()
        reader = call.reader
        if body.pinned and not reader.is_admin:
            raise forbidden("only an admin may pin a post")
        if body.image is not None and not await self._pictures.has(reader.club_id, body.image):
            raise ApiError(422, "unknown_image", "the club has no such picture: upload it first")
        fields = {**body.model_dump(), "image": f"/media/{body.image}" if body.image else None}
        post_id = await self._posts.create(reader.club_id, reader.user_id, fields)
        return Reply({**await self._posts.post(reader.club_id, post_id), "is_read": False}, 201)

    async def comment(self, call: Call) -> Reply:
        """POST /api/posts/{post_id}/comments."""
        body: NewComment = await call.body()
        post, reader = await self._visible(call), call.reader
        comment = await self._posts.comment(reader.club_id, post["id"], reader.user_id, body.content)
        if post["author_id"] != reader.user_id:
            await self._happenings.happened("post.commented", reader.club_id, _commented(post, comment))
        return Reply(comment, 201)

    async def like(self, call: Call) -> Reply:
        """POST /api/posts/{post_id}/like."""
        body: Like = await call.body()
        post = await self._visible(call)
        return Reply(await self._posts.like(call.reader.club_id, post["id"], call.reader.user_id, body.liked))

    async def _visible(self, call: Call) -> dict[str, Any]:
        """The post of the path, if the reader may see it: a draft is its author's and the admins' only."""
        post = await self._posts.post(call.reader.club_id, call.path["post_id"])
        hidden = post["status"] != "published" and post["author_id"] != call.reader.user_id
        if hidden and not call.reader.is_admin:
            raise not_found("post")
        return post


def _commented(post: dict[str, Any], comment: dict[str, Any]) -> dict[str, Any]:
    author = comment["author"] or {}
    return {
        "user_ids": [post["author_id"]],
        "event_id": comment["id"],
        "post_title": post["title"],
        "author_name": author.get("name", "a member"),
        "content": comment["content"][:100],
    }
