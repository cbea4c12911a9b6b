"""JSON schemas of the answers, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

STRING: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
BOOLEAN: Schema = {"type": "boolean"}
MOMENT: Schema = {"type": ["string", "null"], "format": "date-time"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}


def record(**properties: Schema) -> Schema:
    """An object; `?fields=` may leave any of its properties out, so none is required."""
    return {"type": "object", "properties": properties}


def listed(item: Schema) -> Schema:
    """A page of items."""
    return {
        "type": "object",
        "required": ["items", "pagination"],
        "properties": {
            "items": {"type": "array", "items": item},
            "pagination": {
                "type": "object",
                "required": ["current_page", "total_pages", "total_count", "has_more"],
                "properties": {
                    "current_page": INTEGER,
                    "total_pages": INTEGER,
                    "total_count": INTEGER,
                    "has_more": BOOLEAN,
                },
            },
        },
    }


def items(item: Schema) -> Schema:
    """Items without pages."""
    return {"type": "object", "required": ["items"], "properties": {"items": {"type": "array", "items": item}}}


TOKENS = {
    **record(access_token=STRING, refresh_token=STRING, expires_in=INTEGER, token_type=STRING),
    "required": ["access_token", "refresh_token", "expires_in"],
}
MEMBER = record(
    id=STRING,
    username=STRING,
    club_id=STRING,
    name=STRING,
    profile_image=TEXT_OR_NULL,
    role=STRING,
    skill_level=TEXT_OR_NULL,
    joined_at=MOMENT,
)
CLUB = record(id=STRING, name=STRING, description=STRING, member_count=INTEGER, created_at=MOMENT)
PERSON = {**record(id=STRING, name=STRING, profile_image=TEXT_OR_NULL), "type": ["object", "null"]}
COMMENT = record(id=STRING, post_id=STRING, author=PERSON, content=STRING, created_at=MOMENT)
POST = record(
    id=STRING,
    club_id=STRING,
    title=STRING,
    content=STRING,
    category=STRING,
    status=STRING,
    pinned=BOOLEAN,
    created_at=MOMENT,
    author=PERSON,
    image=TEXT_OR_NULL,
    comment_count=INTEGER,
    like_count=INTEGER,
    is_read=BOOLEAN,
)
SCORE = {**record(home=INTEGER, away=INTEGER), "type": ["object", "null"]}
GAME = record(
    id=STRING,
    club_id=STRING,
    title=STRING,
    status=STRING,
    game_date=MOMENT,
    skill_level=TEXT_OR_NULL,
    location=STRING,
    created_by=STRING,
    participants={"type": "array", "items": PERSON},
    waiting={"type": "array", "items": PERSON},
    participant_count=INTEGER,
    waiting_count=INTEGER,
    max_participants=INTEGER,
    is_full=BOOLEAN,
    score=SCORE,
)
ROOM = record(id=STRING, club_id=STRING, name=STRING, created_at=MOMENT)
MESSAGE = record(id=STRING, roomId=STRING, tempId=TEXT_OR_NULL, content=STRING, senderId=STRING, timestamp=INTEGER)
NOTIFICATION = record(id=STRING, type=STRING, title=STRING, body=STRING, timestamp=INTEGER, read=BOOLEAN)
MEDIA = record(id=STRING, url=STRING, width=INTEGER, height=INTEGER, bytes=INTEGER)
ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {**record(code=STRING, message=STRING), "required": ["code", "message"]}},
}
