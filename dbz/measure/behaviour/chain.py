"""Where visitors go: a Markov chain of screens, or of operations, with the pauses between them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dbz.measure.behaviour.think_time import NO_PAUSE, ThinkTime

END = "end"
"""Where a visit ends: what may stand among the screens that are next, unless a screen is called so."""
_ROUNDS = 10_000
_LONGEST_VISIT = 10_000
_UNSEEN = 1e-6


@dataclass(frozen=True)
class Screen:
    """One screen of an app, or one operation of a service."""

    think: ThinkTime
    """How long people stay before they go on."""
    next: Mapping[str, float]
    """Where they go then, by the share of them."""


@dataclass(frozen=True)
class Behaviour:
    """All screens, where visits begin, and how long people are away between two visits."""

    starts: Mapping[str, float]
    """The first screen of a visit, by the share of visits."""
    screens: Mapping[str, Screen]
    between: ThinkTime = NO_PAUSE
    """From the end of a visit to the same user's next one."""

    @property
    def start(self) -> str:
        """Where most visits begin."""
        return max(self.starts, key=lambda screen: self.starts[screen])

    def begin(self, numbers: random.Random) -> str:
        """Where somebody begins a visit."""
        return numbers.choices(list(self.starts), list(self.starts.values()))[0]

    def after(self, screen: str, numbers: random.Random) -> str:
        """Where somebody goes from a screen; `END` where they leave."""
        following = self.screens[screen].next
        return numbers.choices(list(following), list(following.values()))[0]

    def think_s(self, screen: str, numbers: random.Random) -> float:
        """How long somebody stays at a screen."""
        return self.screens[screen].think.draw_s(numbers)

    def ends(self, screen: str) -> bool:
        """Whether that is the end of a visit, and no screen."""
        return screen == END and END not in self.screens

    def steps(self, numbers: random.Random) -> Iterator[tuple[float, str]]:
        """What somebody does, without end: (pause in seconds, the screen that comes after it).

        They are met in the midst of a visit, or between two, as in a load that has been there for long: so the shares
        are those of the long run from the first screen on.
        """
        pause_s, screen = self._met(numbers)
        while True:
            yield pause_s, screen
            following = self.after(screen, numbers)
            if self.ends(following):
                pause_s, screen = self.between.draw_s(numbers), self.begin(numbers)
            else:
                pause_s, screen = self.think_s(screen, numbers), following

    def _met(self, numbers: random.Random) -> tuple[float, str]:
        """What is left of the pause in which somebody is met, and the screen after it."""
        shares = self.shares()
        weights = {name: shares[name] * self._staying(name) * self.screens[name].think.mean_s for name in shares}
        ended = sum(share * (1 - self._staying(name)) for name, share in shares.items())
        between = ended * self.between.mean_s
        total = sum(weights.values()) + between
        if numbers.random() * total >= total - between:
            return self.between.rest_s(numbers), self.begin(numbers)
        screen = numbers.choices(list(weights), list(weights.values()))[0]
        following = {name: share for name, share in self.screens[screen].next.items() if not self.ends(name)}
        return self.screens[screen].think.rest_s(numbers), numbers.choices(list(following), list(following.values()))[0]

    def _staying(self, screen: str) -> float:
        """The share of those at a screen who go on to another."""
        return sum(share for name, share in self.screens[screen].next.items() if not self.ends(name))

    def shares(self) -> dict[str, float]:
        """How many of all visits of screens are of each in the long run: the chain's stationary distribution.

        By power iteration of the lazy chain, which has the same distribution and never oscillates. Who leaves
        comes back.
        """
        shares = dict.fromkeys(self.screens, 0.0) | dict(self.starts)
        moves = {
            name: [(to, part * back / 2) for to, part, back in self._moves(screen)]
            for name, screen in self.screens.items()
        }
        for _ in range(_ROUNDS):
            moved = {name: share / 2 for name, share in shares.items()}
            for name, share in shares.items():
                for following, part in moves[name]:
                    moved[following] += share * part
            if max(abs(moved[name] - share) for name, share in shares.items()) < 1e-12:
                break
            shares = moved
        return shares

    def _moves(self, screen: Screen) -> Iterator[tuple[str, float, float]]:
        """(next screen, share of those who go there or leave, share of these who begin there)."""
        for following, part in screen.next.items():
            if self.ends(following):
                for start, share in self.starts.items():
                    yield start, part, share
            else:
                yield following, part, 1.0

    def visit_lengths(self) -> list[float]:
        """The shares of visits of one screen, of two, of three, …; of those that end."""
        here, lengths = dict(self.starts), list[float]()
        while sum(here.values()) > _UNSEEN and len(lengths) < _LONGEST_VISIT:
            moved = dict.fromkeys(self.screens, 0.0)
            left = 0.0
            for name, share in here.items():
                for following, part in self.screens[name].next.items() if share else ():
                    if self.ends(following):
                        left += share * part
                    else:
                        moved[following] += share * part
            lengths.append(left)
            here = moved
        return lengths
