"""What whoever starts a capacity search does around it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from dbz.load.capacity.search import Next
from dbz.load.planning.plan import LoadPlan
from dbz.runs.capacity import CapacityStep
from dbz.runs.storage.folder import RunFolder


@dataclass(frozen=True)
class Ground:
    """Where a run is made: the base URL to load, and `check`, which raises a `DbzError` when that has ended."""

    target: str
    check: Callable[[], None]


@dataclass(frozen=True)
class SearchHooks:
    """What is called as a search goes on."""

    prepare: Callable[[LoadPlan], AbstractContextManager[Ground]]
    """Gets the plan of a run and gives the ground for it, which is up as long as the context lasts."""
    begins: Callable[[Next, float], None]
    """Gets a step before its load is there, and how many seconds of it will be judged."""
    ramping: Callable[[int, int], None]
    """Gets the rates between which a ramp goes, before it does."""
    ramped: Callable[[float | None], None]
    """Gets about how many arrivals a second the target took in the ramp; None when it kept up to the end."""
    recovering: Callable[[int], None]
    """Gets the load that is waited for to be held again after an overload."""
    ended: Callable[[CapacityStep], None]
    run_ended: Callable[[RunFolder], object]
    """Gets the folder of a run that is concluded."""
    interrupted: Callable[[], bool]
    """Whether the user wants to stop."""
