"""What became of a comparison, schema `dbz.comparison/1`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from dbz.measure.comparison import Change

SCHEMA = "dbz.comparison/1"


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class ComparedFigure(_Part):
    """One statistic of one operation before and after: latencies in ms, error rates as shares.

    `change`, `low`, `high` (its 95 % interval) and `noise` (the smallest change that these runs can tell from none) are
    shares of the base, for error rates of all attempts. `p` is corrected for the number of figures. `verdict` is
    `worse`, `better`, `same` or `unclear`; `sentence` says it in words.
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


class Comparison(_Part):
    """What became of a comparison; `missing` are operations that only one side has."""

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

    @property
    def worse(self) -> list[ComparedFigure]:
        """What became worse, the most telling figure of each operation, the largest change first."""
        worst: dict[tuple[str, str], ComparedFigure] = {}
        for one in self.figures:
            key = (one.kind, one.operation)
            if one.verdict is Change.WORSE and (key not in worst or one.p < worst[key].p):
                worst[key] = one
        return sorted(worst.values(), key=lambda one: -one.change)

    def to_json(self) -> str:
        """The comparison as JSON."""
        return self.model_dump_json(by_alias=True, indent=1)
