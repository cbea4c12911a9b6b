"""How long a monitor keeps what it read."""

from __future__ import annotations

from pydantic import Field, model_validator

from dbz.config.source.model import Duration, Size, Strict

_DAY_S = 86_400.0


class Retention(Strict):
    """For how long series are kept, the finer ones shorter; whatever is older, or too much for `size`, goes."""

    raw: Duration = Field(default=2 * _DAY_S, ge=3600)
    """Every reading."""
    minutes: Duration = Field(default=30 * _DAY_S, ge=3600)
    """A line a minute: count, sum, lowest, highest, last."""
    hours: Duration = Field(default=365 * _DAY_S, ge=3600)
    """A line an hour."""
    messages: Duration = Field(default=30 * _DAY_S, ge=3600)
    """Messages that were delivered."""
    size: Size = Field(default=500_000_000, ge=10_000_000)
    """Of the file; beyond it the oldest readings go first, then the oldest minutes, then the oldest hours."""

    @model_validator(mode="after")
    def _finer_is_shorter(self) -> Retention:
        if not self.raw <= self.minutes <= self.hours:
            raise ValueError("raw, minutes and hours should grow: whoever keeps readings keeps what they add up to")
        return self
