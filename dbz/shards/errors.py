"""What can go wrong with a move, and is handled inside dbz."""

from __future__ import annotations

from dbz.errors import DependencyError


class PausedError(Exception):
    """The user asked to stop; the journal knows how to go on."""


class RehearsedError(Exception):
    """A move was copied and verified, and is not to switch over: it was a rehearsal."""


class MoveLeaseLostError(DependencyError):
    """Somebody else has taken over: nothing more may be written."""


class MoveFailedError(Exception):
    """A move cannot be carried out; the reason is for the user. The club stays where it is."""


class FenceOverrunError(Exception):
    """The writes of a club could not be drained within the fence time: the fence was taken away again."""


class HistoryLostError(Exception):
    """The store no longer has the changes since the last position: the copy must be made again."""


class ClubFencedError(TimeoutError):
    """A write was held for the whole fence time, because its club is being moved: try again shortly."""
