"""Who is asking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["member", "admin"]


@dataclass(frozen=True, slots=True)
class Identity:
    """A signed-in user, as an access token states it."""

    user_id: str
    club_id: str
    role: Role
    session_id: str
    expires_at: float
    """Seconds since 1970."""

    @property
    def is_admin(self) -> bool:
        """Whether this user runs the club."""
        return self.role == "admin"
