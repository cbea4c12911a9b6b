"""What a source gives once a period: whether the thing it watches answers, and its figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from dbz.config.grammar.watched import Watched
from dbz.measure.latency.buckets import Buckets

Told = float | str | bool
"""Numbers are series, texts the newest state."""

NO_PATH = "HTTP 404"
"""What a service without a health path answers."""


@dataclass
class SourceReading:
    """How a watched thing was in the period before it was asked; what it does not tell is not there."""

    up: bool | None = None
    """Whether it gave a good answer; None where that cannot be asked."""
    health: str = ""
    """What it answered, or why it did not."""
    figures: dict[Watched, float] = field(default_factory=dict)
    """What rules judge, in the units of conditions: shares of one, milliseconds, so many a second, numbers."""
    details: dict[str, Told] = field(default_factory=dict)
    """What else is kept and shown, by name, with the unit at its end where it has one: `memory_bytes`."""
    durations: Buckets | None = None
    """How long the requests of the period took, where a histogram tells."""
    trouble: str = ""
    """Why it has no figures, or not all of them."""
    settling: bool = False
    """Whether it has not had the time yet to tell everything that it will."""

    @property
    def speaks(self) -> bool:
        """Whether it told a figure itself: how long asking took is known of what is silent too."""
        return bool(self.figures.keys() - {Watched.PROBE_TIME})

    def to_row(self) -> dict[str, Told]:
        """As plain data, without what is not known."""
        row: dict[str, Told | None] = {"up": self.up, "health": self.health or None, **self.details}
        row |= {"trouble": self.trouble or None} | {watched.value: value for watched, value in self.figures.items()}
        return {key: round(value, 6) if isinstance(value, float) else value for key, value in row.items()
                if value is not None}  # fmt: skip


class Source(Protocol):
    """Asks one watched thing again and again."""

    name: str
    """Of the thing, as the file has it."""

    async def look(self) -> SourceReading:
        """How it is. Never raises: whatever it answers is a reading; it is there within a few seconds."""

    async def close(self) -> None:
        """Let go of connections and processes."""
