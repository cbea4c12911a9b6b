"""A row of values as a row of blocks."""

from __future__ import annotations

from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"
_WIDTH = 40


def sparkline(values: Sequence[float | None]) -> str:
    """One block for each value, from zero to the largest; a gap is a space. Long rows are reduced to their maxima."""
    step = max(1, -(-len(values) // _WIDTH))
    rows = [[value for value in values[at : at + step] if value is not None] for at in range(0, len(values), step)]
    top = max((max(row) for row in rows if row), default=0.0) or 1.0
    return "".join(_BLOCKS[round(max(row) / top * (len(_BLOCKS) - 1))] if row else " " for row in rows)
