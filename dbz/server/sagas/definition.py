"""What a saga is: steps in order, how each is repeated, and how its effect is taken back. Pure.

The local runner and Step Functions both work from it. The data of a saga are a JSON object, {saga_id, club_id, …}; what
a step returns is added under its name. An action may run again with the same data, also after it succeeded, without any
further effect. One that takes back must also bear that there is nothing to take back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

SAGAS = "sagas"
SagaData = dict[str, Any]
Action = Callable[[SagaData], Awaitable[SagaData | None]]


class StepRefusedError(Exception):
    """What a step asks for is not possible, and trying again would not help."""


@dataclass(frozen=True)
class StepRetry:
    """How often a failed step is tried, and after which pauses; a store that is away costs no attempt."""

    max_attempts: int = 5
    """Tries altogether."""
    first_s: float = 0.5
    """The pause before the second try."""
    rate: float = 2.0
    """By which each further pause is longer."""
    longest_s: float = 30.0

    def pause_s(self, attempts: int) -> float:
        """The pause after so many failed tries."""
        return min(self.longest_s, self.first_s * self.rate ** min(attempts - 1, 32))


@dataclass(frozen=True)
class SagaStep:
    """One step. Its action has the step's name, in the actions of its saga."""

    name: str
    undo: str = ""
    """The action that takes the step's effect back; empty when there is nothing to take back."""
    retry: StepRetry = StepRetry()
    timeout_s: float = 8.0
    """How long a try may take: longer than the server's clients wait for a store."""
    may_fail: bool = False
    """Whether the saga goes on without it."""
    repeats: bool = False
    """Whether it is long work done bit by bit: it answers {more, wait_s}, and while there is `more` its action runs
    again, after so many whole seconds. Only for sagas that keep their progress themselves."""


@dataclass(frozen=True)
class SagaDefinition:
    """A saga by name."""

    name: str
    comment: str
    """What it is for, in a sentence."""
    service: str
    """Whose steps they are: with services apart, only its processes carry them out."""
    steps: tuple[SagaStep, ...]
    progress_in: str = SAGAS
    """The collection that says how far it is. With another one its service goes on with it, from what is there."""

    @property
    def actions(self) -> tuple[str, ...]:
        """The names of all its actions."""
        return tuple(name for step in self.steps for name in (step.name, step.undo) if name)

    def undoing_from(self, failed: int) -> list[SagaStep]:
        """The steps to take back after the one at index `failed` failed: itself first, which may have begun."""
        return [step for step in reversed(self.steps[: failed + 1]) if step.undo]
