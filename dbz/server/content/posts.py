"""Posts, comments and likes in the document store, behind the cache."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Literal

from pydantic import Field, field_validator

from dbz.cache.glob import escape
from dbz.server.core import Core
from dbz.server.http.errors import not_found
from dbz.server.http.pages import Page
from dbz.server.seams import Profiles
from dbz.server.values.clock import iso, utc_now
from dbz.server.values.ids import new_id

Category = Literal["notice", "free", "gallery", "market"]

# Common to all readers; the arrays of likes and the like never leave the store.
_COMMON = {"likes": 0}
_MAX_COMMENTS = 200
_KEYS_KEPT = 10_000


class PostsQuery(Page):
    """What a list of posts may be narrowed by; `search` looks in title and content, ignoring case."""

    category: Category | None = None
    search: str | None = Field(default=None, max_length=100)

    @field_validator("search")
    @classmethod
    def _blank_is_none(cls, value: str | None) -> str | None:
        return (value or "").strip() or None


class Posts:
    """Owner of the collections `posts` and `comments`."""

    def __init__(self, core: Core, profiles: Profiles) -> None:
        self._core = core
        self._profiles = profiles
        self._ttl = core.settings.cache

    async def page(self, club_id: str, query: PostsQuery) -> tuple[list[dict[str, Any]], int]:
        """A page of published posts, pinned ones first, then the newest, and the number of all."""
        search = blake2b((query.search or "").lower().encode(), digest_size=8).hexdigest() if query.search else ""
        key = f"query:posts:{club_id}:{query.page}:{query.limit}:{query.category or ''}:{search}"
        listed = await self._core.cache.get(key, lambda: self._load_page(club_id, query), self._ttl.posts_ttl_s)
        return await self._rows(club_id, listed["ids"]), listed["total"]

    async def post(self, club_id: str, post_id: str) -> dict[str, Any]:
        """One post of the club, whatever its status; refuses with 404."""
        posts = await self._rows(club_id, [post_id])
        if not posts or posts[0]["club_id"] != club_id:
            raise not_found("post")
        return posts[0]

    async def create(self, club_id: str, author_id: str, fields: dict[str, Any]) -> str:
        """Store a new post; returns its id."""
        post = {"_id": new_id(), "club_id": club_id, "author_id": author_id, **fields, "created_at": utc_now()}
        with self._core.queries.timed("posts.create"):
            await self._posts(club_id).insert_one({**post, "likes": [], "like_count": 0, "comment_count": 0})
        await self._core.cache.invalidate(f"query:posts:{escape(club_id)}:*")
        return str(post["_id"])

    async def like(self, club_id: str, post_id: str, user_id: str, liked: bool) -> dict[str, Any]:
        """Like a post, or take the like back; doing it twice changes nothing. Returns {liked, like_count}."""
        change = (
            ({"likes": {"$ne": user_id}}, {"$addToSet": {"likes": user_id}, "$inc": {"like_count": 1}})
            if liked
            else ({"likes": user_id}, {"$pull": {"likes": user_id}, "$inc": {"like_count": -1}})
        )
        with self._core.queries.timed("posts.like"):
            await self._posts(club_id).update_one({"_id": post_id, "club_id": club_id, **change[0]}, change[1])
        await self._core.cache.invalidate(f"post:{escape(post_id)}")
        post = await self.post(club_id, post_id)
        return {"liked": liked, "like_count": post["like_count"]}

    async def comment(self, club_id: str, post_id: str, author_id: str, content: str) -> dict[str, Any]:
        """Store a comment and the post's new number of comments."""
        comment = {
            "_id": new_id(),
            "club_id": club_id,
            "post_id": post_id,
            "author_id": author_id,
            "content": content,
            "created_at": utc_now(),
        }
        comments = self._core.router.club(club_id)["comments"]
        with self._core.queries.timed("comments.create"):
            await comments.insert_one(comment)
        with self._core.queries.timed("comments.count"):
            # Counted, not incremented: a process that dies between the two writes is put right by the next comment.
            count = await comments.count_documents({"post_id": post_id})
            await self._posts(club_id).update_one({"_id": post_id}, {"$set": {"comment_count": count}})
        await self._core.cache.invalidate(f"post:{escape(post_id)}", f"comments:{escape(club_id)}:{escape(post_id)}")
        return (await self._shown_comments([comment]))[0]

    async def comments(self, club_id: str, post_id: str) -> list[dict[str, Any]]:
        """The first comments of a post, oldest first."""
        cached: list[dict[str, Any]] = await self._core.cache.get(
            f"comments:{club_id}:{post_id}", lambda: self._load_comments(club_id, post_id), self._ttl.posts_ttl_s
        )
        return cached

    async def _rows(self, club_id: str, ids: list[str]) -> list[dict[str, Any]]:
        """Those of the posts that exist, in the order of `ids`."""

        async def load(keys: list[str]) -> dict[str, Any]:
            return await self._load_rows(club_id, [key.removeprefix("post:") for key in keys])

        keys = [*map(_key_of, ids)]
        cached = await self._core.cache.get_many(keys, load, self._ttl.default_ttl_s)
        return [cached[key] for key in keys if key in cached]

    async def _load_page(self, club_id: str, query: PostsQuery) -> dict[str, Any]:
        # Match, sort, cut, and only then join: the store works on the rows of one page.
        criteria: dict[str, Any] = {"club_id": club_id, "status": "published"}
        if query.category:
            criteria["category"] = query.category
        if query.search:
            literal = {"$regex": re.escape(query.search), "$options": "i"}
            criteria["$or"] = [{"title": literal}, {"content": literal}]
        posts = self._posts(club_id)
        order = [("pinned", -1), ("created_at", -1)]
        with self._core.queries.timed("posts.list"):
            rows = await posts.find(criteria, {"_id": 1}).sort(order).skip(query.skip).limit(query.limit).to_list()
        with self._core.queries.timed("posts.count"):
            total = await posts.count_documents(criteria)
        return {"ids": [row["_id"] for row in rows], "total": total}

    async def _load_rows(self, club_id: str, ids: list[str]) -> dict[str, Any]:
        with self._core.queries.timed("posts.rows"):
            rows = await self._posts(club_id).find({"_id": {"$in": ids}, "club_id": club_id}, _COMMON).to_list()
        people = await self._profiles.profiles(row["author_id"] for row in rows)
        return {f"post:{row['_id']}": _shown(row, people.get(row["author_id"])) for row in rows}

    async def _load_comments(self, club_id: str, post_id: str) -> list[dict[str, Any]]:
        comments = self._core.router.club(club_id)["comments"]
        with self._core.queries.timed("comments.list"):
            rows = await comments.find({"post_id": post_id}).sort("_id", 1).limit(_MAX_COMMENTS).to_list()
        return await self._shown_comments(rows)

    async def _shown_comments(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        people = await self._profiles.profiles(row["author_id"] for row in rows)
        return [
            {
                "id": row["_id"],
                "post_id": row["post_id"],
                "author": person(people.get(row["author_id"])),
                "content": row["content"],
                "created_at": iso(row["created_at"]),
            }
            for row in rows
        ]

    def _posts(self, club_id: str) -> Any:
        return self._core.router.club(club_id)["posts"]


@lru_cache(_KEYS_KEPT)
def _key_of(post_id: str) -> str:
    """Where a post is in the cache. The same text each time, whose hash is known: a page looks up many."""
    return f"post:{post_id}"


def person(profile: dict[str, Any] | None) -> dict[str, Any] | None:
    """What a post shows of its author."""
    if profile is None:
        return None
    return {key: profile[key] for key in ("id", "name", "profile_image", "role")}


def _shown(row: dict[str, Any], author: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "id": row["_id"],
        "club_id": row["club_id"],
        "title": row["title"],
        "content": row["content"],
        "category": row["category"],
        "status": row["status"],
        "pinned": row["pinned"],
        "created_at": iso(row["created_at"]),
        "author": person(author),
        "author_id": row["author_id"],
        "image": row.get("image"),
        "comment_count": row["comment_count"],
        "like_count": row["like_count"],
    }
