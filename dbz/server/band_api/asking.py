"""Asking Band in a user's name, also when Band has let his access token expire before its time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from dbz.server.band_api.errors import BandUnauthorizedError
from dbz.server.seams import BandAccess

Answer = TypeVar("Answer")


async def ask_as(access: BandAccess, user_id: str, ask: Callable[[str], Awaitable[Answer]]) -> Answer:
    """What `ask(access token)` gives; with a renewed token once more when Band does not take the first."""
    token = await access.token(user_id)
    try:
        return await ask(token.text)
    except BandUnauthorizedError:
        token = await access.token(user_id, refused=token.version)
        return await ask(token.text)
