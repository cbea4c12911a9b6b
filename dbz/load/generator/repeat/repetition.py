"""Which loads are carried out on the event loop itself.

A user of a URL has no code of its own: between two of its requests nobody needs to be asked.
"""

from __future__ import annotations

from typing import Any

from dbz.load.generator.pace.pacing import Pacing
from dbz.load.generator.repeat.dispatch import Dispatch, PacedLane
from dbz.load.generator.repeat.lane import Lane
from dbz.load.generator.session import Session
from dbz.load.spec import GeneratorSpec


class Repetition:
    """The lanes of one process."""

    def __init__(self, session: Session, dispatch: Dispatch | None) -> None:
        self._session = session
        self._dispatch = dispatch

    def lane(self, user: Any, operation: str) -> Lane | None:
        """A lane for a user; None when somebody listens to each single request."""
        if len(self._session.request_listeners) > self._session.counting_listeners:
            return None
        tally = self._session.tallies[operation]
        return Lane(user, tally) if self._dispatch is None else PacedLane(user, tally, self._dispatch)


def repetition_of(spec: GeneratorSpec, session: Session, pacing: Pacing) -> Repetition | None:
    """The lanes of a load that they can carry, and None for one that needs the ordinary client throughout.

    Where answers turn out to say which service gave them, a lane leaves them to the ordinary client.
    """
    if not spec.is_repeatable:
        return None
    arrivals = pacing.arrivals
    return Repetition(session, Dispatch(arrivals, pacing.punctuality) if arrivals is not None else None)
