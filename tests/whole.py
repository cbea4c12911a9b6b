"""How much of a matrix runs: some of its cells with `make test`, all of them with `make torture`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

WHOLE = "DBZ_WHOLE_MATRIX" in os.environ


def some(cells: Sequence[T], number: int) -> list[T]:
    """So many of these cells, the first and others evenly behind it; or all."""
    return list(cells) if WHOLE else [cells[place * len(cells) // number] for place in range(number)]
