"""Users and clubs in the directory, and the profiles that other services show."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

from dbz.server.core import Core
from dbz.server.http.pages import Page, page_block
from dbz.server.seams import BandClub
from dbz.server.values.clock import iso

# What others may see of a member; the Band access token and the password hash are not among it.
_PROFILE = {"name": 1, "profile_image": 1, "role": 1, "skill_level": 1, "club_id": 1, "username": 1, "joined_at": 1}


class Users:
    """Owner of the collections `users` and `clubs`."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def by_name(self, username: str) -> dict[str, Any] | None:
        """The user with this name, with the password hash. The profile, which is asked for next, goes to the cache."""
        mark = self._core.cache.mark()
        with self._core.queries.timed("users.by_name"):
            user: dict[str, Any] | None = await self._users.find_one({"username": username})
        if user is not None:
            ttl_s = self._core.settings.cache.default_ttl_s
            self._core.cache.offer(f"member:{user['_id']}", _profile(user), ttl_s, mark)
        return user

    async def by_id(self, user_id: str) -> dict[str, Any] | None:
        """The user with this id."""
        with self._core.queries.timed("users.by_id"):
            return await self._users.find_one({"_id": user_id}, _PROFILE)  # type: ignore[no-any-return]

    async def profiles(self, user_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """See `Profiles`."""
        keys = [f"member:{user_id}" for user_id in dict.fromkeys(user_ids)]
        profiles = await self._core.cache.get_many(keys, self._load_profiles, self._core.settings.cache.default_ttl_s)
        return {key.removeprefix("member:"): profile for key, profile in profiles.items()}

    async def club_of(self, user_id: str) -> str | None:
        """See `Members`."""
        profile = (await self.profiles([user_id])).get(user_id)
        return profile["club_id"] if profile else None

    async def of_club(self, club_id: str) -> list[str]:
        """See `Members`."""
        with self._core.queries.timed("users.of_club"):
            rows = await self._users.find({"club_id": club_id}, {"_id": 1}).to_list()
        return [row["_id"] for row in rows]

    async def address_of(self, user_id: str) -> str | None:
        """See `Members`. Addresses are in no cache and no profile."""
        with self._core.queries.timed("users.address"):
            row = await self._users.find_one({"_id": user_id}, {"email": 1})
        return row.get("email") if row else None

    async def set_address(self, user_id: str, address: str | None) -> None:
        """The account has this e-mail address, or none."""
        change = {"$unset": {"email": ""}} if address is None else {"$set": {"email": address}}
        with self._core.queries.timed("users.set_address"):
            await self._users.update_one({"_id": user_id}, change)

    async def club(self, club_id: str) -> dict[str, Any] | None:
        """A club's public data, None when there is none."""
        return await self._core.cache.get(  # type: ignore[no-any-return]
            f"club:{club_id}", lambda: self._load_club(club_id), self._core.settings.cache.default_ttl_s
        )

    async def members(self, club_id: str, page: Page) -> dict[str, Any]:
        """A page of a club's members by name, with its pagination block."""
        key = f"query:members:{club_id}:{page.page}:{page.limit}"
        ttl_s = self._core.settings.cache.posts_ttl_s
        listed = await self._core.cache.get(key, lambda: self._load_members(club_id, page), ttl_s)
        profiles = await self.profiles(listed["ids"])
        items = [profiles[user_id] for user_id in listed["ids"] if user_id in profiles]
        return {"items": items, "pagination": page_block(page, listed["total"])}

    async def band_club(self, club_id: str) -> BandClub | None:
        """The club with its band at Band; None when it has none."""
        with self._core.queries.timed("clubs.band"):
            row = await self._clubs.find_one({"_id": club_id, "band": {"$exists": True}}, {"band": 1})
        return BandClub(row["_id"], row["band"]["key"], row["band"]["user_id"]) if row else None

    async def band_clubs(self) -> AsyncIterator[BandClub]:
        """All clubs that have a band, by their ids."""
        async for row in self._clubs.find({"band": {"$exists": True}}, {"band": 1}).sort("_id", 1):
            yield BandClub(row["_id"], row["band"]["key"], row["band"]["user_id"])

    async def link_band(self, club_id: str, band_key: str, user_id: str) -> None:
        """Members and photos of a club come from this band, through the link of this user."""
        with self._core.queries.timed("clubs.link_band"):
            await self._clubs.update_one({"_id": club_id}, {"$set": {"band": {"key": band_key, "user_id": user_id}}})

    async def unlink_band(self, club_id: str, user_id: str) -> None:
        """A club's band goes, if it was this user's link that led to it."""
        with self._core.queries.timed("clubs.unlink_band"):
            await self._clubs.update_one({"_id": club_id, "band.user_id": user_id}, {"$unset": {"band": ""}})

    async def _load_profiles(self, keys: list[str]) -> dict[str, Any]:
        ids = [key.removeprefix("member:") for key in keys]
        with self._core.queries.timed("users.profiles"):
            rows = await self._users.find({"_id": {"$in": ids}}, _PROFILE).to_list()
        return {f"member:{row['_id']}": _profile(row) for row in rows}

    async def _load_club(self, club_id: str) -> dict[str, Any] | None:
        with self._core.queries.timed("clubs.by_id"):
            row = await self._clubs.find_one({"_id": club_id})
        if row is None:
            return None
        with self._core.queries.timed("clubs.member_count"):
            count = await self._users.count_documents({"club_id": club_id})
        return {
            "id": row["_id"],
            "name": row["name"],
            "description": row.get("description", ""),
            "member_count": count,
            "created_at": iso(row.get("created_at")),
        }

    async def _load_members(self, club_id: str, page: Page) -> dict[str, Any]:
        query = {"club_id": club_id}
        with self._core.queries.timed("members.list"):
            rows = await self._users.find(query, {"_id": 1}).sort("_id", 1).skip(page.skip).limit(page.limit).to_list()
        with self._core.queries.timed("members.count"):
            total = await self._users.count_documents(query)
        return {"ids": [row["_id"] for row in rows], "total": total}

    @property
    def _users(self) -> Any:
        return self._core.router.directory["users"]

    @property
    def _clubs(self) -> Any:
        return self._core.router.directory["clubs"]


def _profile(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["_id"],
        "username": row["username"],
        "club_id": row["club_id"],
        "name": row["name"],
        "profile_image": row.get("profile_image"),
        "role": row["role"],
        "skill_level": row.get("skill_level"),
        "joined_at": iso(row.get("joined_at")),
    }
