"""What became of a comparison, schema `dbz.comparison/1`."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, Field

from dbz.config.described import describe
from dbz.measure.compare.differences import Change

SCHEMA = "dbz.comparison/1"
BLIND = 1.0
"""Where only a slowdown to more than twice the time would have been found, nothing is told of an operation."""
SUSPECT_P = 0.2
"""Chance alone makes anything look so much worse in less than one of five comparisons of equal code."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True, json_schema_extra=describe)


class ComparedFigure(_Part):
    """One statistic of one operation before and after: latencies in ms, error rates as shares."""

    kind: str
    """What was attempted: `http`, `ack`, `delivery`, …"""
    operation: str
    stat: str
    """`p50`, `p95` or `error_rate`."""
    base: float
    """Before, in ms; an error rate as a share of all attempts."""
    new: float
    """Now, in the same unit."""
    change: float
    """The change as a share of the base; of an error rate the difference, as a share of all attempts."""
    low: float
    """The lower end of the 95 % interval of `change`."""
    high: float
    """The upper end of it."""
    noise: float
    """The smallest change that these runs can tell from none, if this were the only figure."""
    p: float
    """The p-value, corrected for the number of figures."""
    verdict: Change
    sentence: str = ""
    """All of it in words."""
    detectable: float | None = None
    """The smallest increase, as a share, that these runs find in nine of ten cases; null for error rates."""
    shared: float = 0.0
    """What all operations changed by together, where `change` is what this one did beside that."""

    @property
    def suspect(self) -> bool:
        """Whether it looks worse, but is not for certain."""
        return self.verdict is Change.UNCLEAR and self.change > 0 and self.low > 0 and self.p < SUSPECT_P


class Sensitivity(_Part):
    """The smallest slowdown of one operation that a comparison finds in nine of ten cases, as a share of the base."""

    typical: float
    """That of the operation in the middle."""
    worst: float
    """That of the noisiest operation."""
    worst_operation: str
    wanted: float
    """The slowdown that somebody wants to find in every operation."""
    runs: int | None
    """How many runs a side would find it; null when nobody would make so many."""


class VanishedOperation(_Part):
    """An operation that the base runs made often and the new ones never."""

    kind: str
    operation: str
    attempts: int
    """How many there were in the base runs."""
    renamed: str = ""
    """What it may be called now: the nearest name that only the new runs have; empty where none is near."""

    @property
    def sentence(self) -> str:
        """What vanished, and what it may be called now."""
        hint = f"; is it called {self.renamed} now?" if self.renamed else ""
        return (
            f"{self.kind} {self.operation} was made {self.attempts:,} times in the base and never in the new runs{hint}"
        )


class FailingOperation(_Part):
    """An operation that fails in the new runs and was not made in the base, as tasks that began to raise."""

    kind: str
    operation: str
    attempts: int
    """How many there were in the new runs."""
    errors: int
    """How many of them failed."""

    @property
    def sentence(self) -> str:
        """What fails, and how often."""
        return (
            f"{self.kind} {self.operation} failed {self.errors:,} of {self.attempts:,} times in the new runs "
            "and was never made in the base"
        )


class ComparedCounter(_Part):
    """What a scenario counted a second, before and after. Whether more of it is better only the scenario knows."""

    name: str
    base_per_s: float
    new_per_s: float
    change: float | None
    """As a share of the base; null where the base counted nothing."""


class Comparison(_Part):
    """What became of a comparison of runs with runs."""

    schema_: str = Field(SCHEMA, alias="schema")
    base: list[str]
    """The ids of the runs that were compared with."""
    new: list[str]
    """The ids of the runs that were compared."""
    profile_hash: str
    """Twelve digits that are equal for loads that are the same."""
    forced: list[str] = Field(default_factory=list)
    """What speaks against this comparison, which was made all the same."""
    cautions: list[str] = Field(default_factory=list)
    """What may explain a difference and is not the code."""
    threshold: float
    """The smallest change that counts, as a share of the base."""
    assumed_noise: float | None = None
    """What medians of single runs were taken to differ by, as a share; null where the runs themselves show it."""
    figures: list[ComparedFigure] = Field(default_factory=list)
    counters: list[ComparedCounter] = Field(default_factory=list)
    """The counters that both sides have; they are told, and not judged."""
    missing: list[str] = Field(default_factory=list)
    """Which operations only one side has, a text for each side."""
    vanished: list[VanishedOperation] = Field(default_factory=list)
    """Operations that the new runs should have made and did not."""
    failing: list[FailingOperation] = Field(default_factory=list)
    """Operations that only the new runs made, and that failed there more often than by chance."""
    vanished_allowed: bool = False
    """Whether that was accepted beforehand."""
    uncompared: list[str] = Field(default_factory=list)
    """Operations of both sides with too few attempts for any figure."""
    damaged: list[str] = Field(default_factory=list)
    """Whose records have lines that cannot be read, a sentence each."""
    left_out: list[str] = Field(default_factory=list)
    """The ids of runs that something else on the machine disturbed."""
    doubts: list[str] = Field(default_factory=list)
    """Why what looks worse (or better) may be the machine, and is unclear for that reason."""
    sensitivity: Sensitivity | None = None

    @property
    def suspects(self) -> list[ComparedFigure]:
        """What looks worse and may be chance, the most telling figure of each operation."""
        known = {(one.kind, one.operation) for one in self.worse}
        return [one for one in self._worst(one for one in self.figures if one.suspect) if _name(one) not in known]

    @property
    def worse(self) -> list[ComparedFigure]:
        """What became worse, the most telling figure of each operation, the largest change first."""
        return self._worst(one for one in self.figures if one.verdict is Change.WORSE)

    @property
    def findings(self) -> list[str]:
        """Why the new runs are worse than the base, a sentence each."""
        gone = [] if self.vanished_allowed else [one.sentence for one in self.vanished]
        return [*(one.sentence for one in self.worse), *(one.sentence for one in self.failing), *gone]

    @property
    def untold(self) -> list[str]:
        """The operations of which nothing is told: too few attempts, or so noisy that hardly anything would be seen."""
        seen: dict[tuple[str, str], bool] = {}
        for one in self.figures:
            visible = one.detectable is None or one.detectable <= max(BLIND, self.threshold)
            told = visible or one.verdict in (Change.WORSE, Change.BETTER)
            seen[_name(one)] = seen.get(_name(one), False) or told
        return [*(f"{kind} {name}" for (kind, name), told in seen.items() if not told), *self.uncompared]

    @property
    def blind(self) -> bool:
        """Whether nothing is told of any operation."""
        return len(self.untold) >= len({_name(one) for one in self.figures}) + len(self.uncompared)

    def _worst(self, figures: Iterable[ComparedFigure]) -> list[ComparedFigure]:
        worst: dict[tuple[str, str], ComparedFigure] = {}
        for one in figures:
            if _name(one) not in worst or one.p < worst[_name(one)].p:
                worst[_name(one)] = one
        return sorted(worst.values(), key=lambda one: -one.change)

    def to_json(self) -> str:
        """The comparison as JSON."""
        return self.model_dump_json(by_alias=True, indent=1)


def _name(one: ComparedFigure) -> tuple[str, str]:
    return one.kind, one.operation
