"""What became of a comparison, schema `dbz.comparison/1`."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, Field

from dbz.measure.compare.comparison import Change

SCHEMA = "dbz.comparison/1"
SUSPECT_P = 0.2
"""Chance alone makes anything look so much worse in less than one of five comparisons of equal code."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class ComparedFigure(_Part):
    """One statistic of one operation before and after: latencies in ms, error rates as shares.

    `change`, `low`, `high` (its 95 % interval), `noise` (the smallest change that these runs can tell from none) and
    `detectable` (the smallest increase that they find in nine of ten cases, all figures considered) are shares of the
    base, for error rates of all attempts. `shared` is what all operations changed by together, where `change` is beside
    that. `p` is corrected for the number of figures. `verdict` is `worse`, `better`,
    `same` or `unclear`; `sentence` says it in words.
    """

    kind: str
    operation: str
    stat: str
    base: float
    new: float
    change: float
    low: float
    high: float
    noise: float
    p: float
    verdict: Change
    sentence: str = ""
    detectable: float | None = None
    shared: float = 0.0

    @property
    def suspect(self) -> bool:
        """Whether it looks worse, but is not for certain."""
        return self.verdict is Change.UNCLEAR and self.change > 0 and self.low > 0 and self.p < SUSPECT_P


class Sensitivity(_Part):
    """The smallest slowdown of one operation that a comparison finds in nine of ten cases, as a share of the base.

    `typical` is that of the operation in the middle, `worst` that of the noisiest one, which is named. `runs` is how
    many runs a side would find `wanted` in every operation; null when nobody would make so many.
    """

    typical: float
    worst: float
    worst_operation: str
    wanted: float
    runs: int | None


class Comparison(_Part):
    """What became of a comparison; `missing` says which operations only one side has.

    `left_out` are runs that were disturbed by something else on the machine, `doubts` say why what looks worse (or
    better) may be the machine and is unclear for that reason.
    """

    schema_: str = Field(SCHEMA, alias="schema")
    base: list[str]
    new: list[str]
    profile_hash: str
    forced: list[str] = Field(default_factory=list)
    cautions: list[str] = Field(default_factory=list)
    threshold: float
    assumed_noise: float | None = None
    figures: list[ComparedFigure] = Field(default_factory=list)
    missing: list[str] = Field(default_factory=list)
    left_out: list[str] = Field(default_factory=list)
    doubts: list[str] = Field(default_factory=list)
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
