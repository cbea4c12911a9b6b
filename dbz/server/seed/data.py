"""The demo data as documents: the same for the same seed, club by club."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from dbz.server.auth.passwords import hash_password
from dbz.server.media.demo import demo_picture
from dbz.server.media.store import media_document

Documents = dict[str, list[dict[str, Any]]]

MEMBERS = 200
POSTS = 60
PHOTOS = 4
PASSWORD = "demo"
ROUNDS = 100
"""Of the hash of that password, which everybody knows: loads sign in hundreds of users a second. Real ones: 600,000."""
GAMES = (("ongoing", 10), ("scheduled", 20), ("completed", 30))
_EPOCH = datetime(2026, 11, 1, 9, tzinfo=UTC)
_CATEGORIES = ("notice", "free", "gallery", "market")
_SKILLS = ("beginner", "intermediate", "advanced")
_WORDS = [
    "shuttle",
    "racket",
    "court",
    "smash",
    "drop",
    "clear",
    "net",
    "serve",
    "doubles",
    "singles",
    "rally",
    "match",
    "league",
    "practice",
    "coach",
    "warm-up",
    "Tuesday",
    "Thursday",
    "Saturday",
    "gym",
    "lesson",
    "partner",
    "beginner",
    "tournament",
    "result",
    "photo",
    "stringing",
    "grip",
    "shoes",
    "score",
]


def user_id(club: int, member: int) -> str:
    """The id, and name to log in with, of a club's n-th member."""
    return f"user{club * MEMBERS + member:04d}"


def club_documents(seed: int, club: int) -> Documents:
    """Everything of one club, by collection."""
    rng = random.Random(f"dbz:{seed}:{club}")
    club_id = f"club{club:02d}"
    posts, comments, marks = _posts(rng, club, club_id)
    club_row = {"_id": club_id, "name": f"Badminton club {club + 1}", "description": "", "created_at": _EPOCH}
    room = {"_id": f"room:{club_id}", "club_id": club_id, "name": "Everyone", "members": None, "created_at": _EPOCH}
    return {
        "clubs": [club_row],
        "users": _users(rng, seed, club, club_id),
        "posts": posts,
        "comments": comments,
        "read_marks": marks,
        "games": _games(rng, club, club_id),
        "chat_rooms": [room],
        "band_cache": [_band(club, club_id)],
        "media": _photos(club, club_id),
    }


def _band(club: int, club_id: str) -> dict[str, Any]:
    """What was last synchronised from Band for a club."""
    photos = [
        {"id": f"{club_id}-b{number:02d}", "url": f"/media/{club_id}-b{number:02d}", "width": 1080, "height": 720}
        for number in range(20)
    ]
    row = {"_id": club_id, "club_id": club_id, "name": f"Badminton club {club + 1}", "cover": f"/media/{club_id}"}
    return {**row, "photos": photos, "synced_at": _EPOCH, "access_token": f"band-{club:08d}"}


def _photos(club: int, club_id: str) -> list[dict[str, Any]]:
    """The pictures that its gallery shows, uploaded by its admin."""
    return [
        {
            **media_document(_photo(club_id, number), club_id, user_id(club, MEMBERS - 1), demo_picture(number)),
            "created_at": _EPOCH + timedelta(minutes=number),
        }
        for number in range(PHOTOS)
    ]


def _photo(club_id: str, number: int) -> str:
    return f"{club_id}.photo{number}"


def _users(rng: random.Random, seed: int, club: int, club_id: str) -> list[dict[str, Any]]:
    # One salt for all demo users: their password is public, and hashing once keeps seeding fast.
    password_hash = hash_password(PASSWORD, ROUNDS, f"dbz demo {seed}".encode())
    return [
        {
            "_id": user_id(club, member),
            "username": user_id(club, member),
            "club_id": club_id,
            "name": f"Member {club * MEMBERS + member}",
            "profile_image": f"/media/{user_id(club, member)}",
            "role": "admin" if member == MEMBERS - 1 else "member",
            "skill_level": rng.choice(_SKILLS),
            "password_hash": password_hash,
            "band_data": {"access_token": f"band-{rng.getrandbits(64):016x}"},
            "joined_at": _EPOCH + timedelta(minutes=member),
        }
        for member in range(MEMBERS)
    ]


def _posts(rng: random.Random, club: int, club_id: str) -> tuple[list[Any], list[Any], list[Any]]:
    posts, comments, read = [], [], dict[str, list[str]]()
    for number in range(POSTS):
        post_id = f"{club_id}-p{number:02d}"
        likes = sorted(user_id(club, member) for member in rng.sample(range(MEMBERS), rng.randrange(12)))
        written = _comments(rng, club, club_id, post_id, number)
        comments += written
        for member in rng.sample(range(MEMBERS), rng.randrange(40)):
            read.setdefault(user_id(club, member), []).append(post_id)
        posts.append(_post(rng, club, club_id, number, likes, len(written)))
    marks = [{"_id": reader, "club_id": club_id, "posts": ids} for reader, ids in sorted(read.items())]
    return posts, comments, marks


def _post(rng: random.Random, club: int, club_id: str, number: int, likes: list[str], comments: int) -> dict[str, Any]:
    category = _CATEGORIES[number % len(_CATEGORIES)]
    return {
        "_id": f"{club_id}-p{number:02d}",
        "club_id": club_id,
        "author_id": user_id(club, rng.randrange(MEMBERS)),
        "title": _sentence(rng, 4),
        "content": ". ".join(_sentence(rng, 12) for _ in range(rng.randrange(2, 8))),
        "category": category,
        "image": f"/media/{_photo(club_id, number // len(_CATEGORIES) % PHOTOS)}" if category == "gallery" else None,
        "status": "draft" if number % 15 == 14 else "published",
        "pinned": number % 20 == 0,
        "created_at": _EPOCH + timedelta(hours=number),
        "likes": likes,
        "like_count": len(likes),
        "comment_count": comments,
    }


def _comments(rng: random.Random, club: int, club_id: str, post_id: str, number: int) -> list[dict[str, Any]]:
    return [
        {
            "_id": f"{post_id}-c{index}",
            "club_id": club_id,
            "post_id": post_id,
            "author_id": user_id(club, rng.randrange(MEMBERS)),
            "content": _sentence(rng, 6),
            "created_at": _EPOCH + timedelta(hours=number, minutes=index + 1),
        }
        for index in range(rng.randrange(4))
    ]


def _games(rng: random.Random, club: int, club_id: str) -> list[dict[str, Any]]:
    statuses = [status for status, count in GAMES for _ in range(count)]
    return [_game(rng, club, club_id, number, status) for number, status in enumerate(statuses)]


def _game(rng: random.Random, club: int, club_id: str, number: int, status: str) -> dict[str, Any]:
    days = {"ongoing": 0, "scheduled": 1 + number, "completed": -number}[status]
    others = [user_id(club, member) for member in rng.sample(range(60, MEMBERS), 5)]
    places = rng.choice((2, 4, 4))
    players = [user_id(club, number), *others[: places - 1 if status != "scheduled" else rng.randrange(places)]]
    score = {"home": rng.randrange(22), "away": rng.randrange(22)}
    return {
        "_id": f"{club_id}-g{number:02d}",
        "club_id": club_id,
        "title": f"{_sentence(rng, 2)} {number}",
        "status": status,
        "game_date": _EPOCH + timedelta(days=21 + days),
        "skill_level": rng.choice(_SKILLS),
        "location": f"Court {number % 6 + 1}",
        "created_by": user_id(club, number),
        "participants": players,
        "waiting": others[4:] if len(players) == places and number % 3 == 0 else [],
        "max_participants": places,
        "score": None if status == "scheduled" else {"home": 0, "away": 0} if status == "ongoing" else score,
        "created_at": _EPOCH + timedelta(minutes=number),
    }


def _sentence(rng: random.Random, words: int) -> str:
    return " ".join(rng.choice(_WORDS) for _ in range(words)).capitalize()
