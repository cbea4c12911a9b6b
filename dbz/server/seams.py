"""What services may ask of each other. Nothing else crosses from one service to another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pymongo import IndexModel

from dbz.server.http.route import Route
from dbz.server.values.identity import Identity

EventHandler = Callable[["MemberConnection", Any], Awaitable[Any]]


@dataclass(frozen=True)
class Indexes:
    """The indexes that a service wants on one of its collections."""

    collection: str
    models: tuple[IndexModel, ...]
    shared: bool = False
    """Whether the collection lies in the directory instead of with each club."""


class Profiles(Protocol):
    """Names and faces of members; answered by auth."""

    async def profiles(self, user_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """{user id: {id, name, profile_image, role, skill_level}} of those users that exist."""


class Pictures(Protocol):
    """What members have uploaded; answered by media."""

    async def has(self, club_id: str, media_id: str) -> bool:
        """Whether the club has this picture."""


class Members(Protocol):
    """Who belongs to a club; answered by auth."""

    async def club_of(self, user_id: str) -> str | None:
        """The club of a user, None when there is no such user."""

    async def of_club(self, club_id: str) -> list[str]:
        """The ids of all members of a club."""

    async def address_of(self, user_id: str) -> str | None:
        """The e-mail address of a user's account, None when it has none."""


@dataclass(frozen=True)
class BandToken:
    """An access token for Band; its text appears in no log and no error."""

    text: str = field(repr=False)
    version: int
    """Rises with each renewal."""


@dataclass(frozen=True)
class BandClub:
    """A club whose members and photos come from Band."""

    club_id: str
    band_key: str
    """Its band's key at Band."""
    user_id: str
    """The admin whose link leads there."""


class BandAccess(Protocol):
    """Which clubs are linked with Band, and the tokens that open it; answered by auth."""

    def clubs(self) -> AsyncIterator[BandClub]:
        """All linked clubs, by their ids."""

    async def club(self, club_id: str) -> BandClub | None:
        """One of them; None when it is not linked."""

    async def token(self, user_id: str, refused: int = -1) -> BandToken:
        """A token that is valid for a while; newer than the version `refused`, which Band did not take any more.

        `BandLinkError` when the user must link again.
        """


class Emitter(Protocol):
    """Sends events to sockets, whichever process holds them; answered by the real-time gateway."""

    def emit(self, event: str, data: Any, room: str, but: str = "") -> None:
        """Send `event` to every socket in `room`, but for the socket `but`."""


class Events(Protocol):
    """Tells that something happened in a club; answered by the hub of events, which brings it to its consumers."""

    async def happened(self, kind: str, club_id: str, data: dict[str, Any]) -> None:
        """Hand on the event `kind` as `data["event_id"]`. It never fails: what it tells of is already done."""


class Announcer(Protocol):
    """Tells events for those who can try again; answered by the hub of events."""

    async def tell(self, kind: str, club_id: str, data: dict[str, Any], aggregate: str = "") -> None:
        """Promise an event under the id `data["event_id"]`; the stores' errors when that cannot be done.

        Events of one `aggregate` reach their consumers in the order in which they were told.
        """


class MemberConnection(Protocol):
    """One authenticated socket; answered by the real-time gateway."""

    @property
    def sid(self) -> str:
        """The socket's id."""

    @property
    def identity(self) -> Identity:
        """Who is connected."""

    async def join(self, room: str) -> None:
        """Enter a room."""

    async def leave(self, room: str) -> None:
        """Leave a room."""

    def is_in(self, room: str) -> bool:
        """Whether this socket is in `room`."""

    async def send(self, event: str, data: Any) -> None:
        """Send an event to this socket only."""


class Service(Protocol):
    """A service as the composition sees it."""

    @property
    def name(self) -> str:
        """The service's name."""

    @property
    def routes(self) -> Sequence[Route]:
        """Its HTTP routes."""

    @property
    def indexes(self) -> Sequence[Indexes]:
        """The indexes of its collections."""

    @property
    def events(self) -> Mapping[str, EventHandler]:
        """Its real-time events."""

    async def start(self) -> None:
        """Begin background work."""

    async def stop(self) -> None:
        """End background work, keeping what was accepted."""
