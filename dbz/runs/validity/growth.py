"""Operations that became slower and slower while the load stayed the same: what leaks or fills up shows so, long before
it breaks a limit.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dbz.measure.latency.series import ACK, DELIVERY, HTTP, Series
from dbz.runs.fold import inside
from dbz.runs.schema import Window
from dbz.runs.storage.reading import Record
from dbz.units import format_ms

_KINDS = (HTTP, ACK, DELIVERY)
_BLOCKS = 12
_FEWEST_BLOCKS = 8
"""With fewer blocks of time even a growth without an exception is not certain."""
_FEWEST_SAMPLES = 5
"""Of each block: what a median of fewer says is chance."""
_SURE = 3.1
"""Standard deviations of Mann and Kendall's S (one in a thousand)."""
_TIMES = 1.5
_LEAST_MS = 2.0
_SAME_LOAD = 1.1
"""What users, and what succeeded of all, may grow by."""
_MOST_NOTES = 3


@dataclass
class _Block:
    """What ended in a stretch of time: how many samples, and the sum of their intervals' medians, one for each."""

    samples: int = 0
    weighed_ms: float = 0.0

    @property
    def median_ms(self) -> float:
        """The mean of the medians of its intervals."""
        return self.weighed_ms / self.samples


def growth_notes(record: Record, window: Window, users: Sequence[float]) -> list[str]:
    """What a reader should know of operations that became slower; `users` are those at each judged second.

    A load that grows itself says nothing of that.
    """
    blocks = _blocks(record, window)
    if not users or max(users) > _SAME_LOAD * min(users) or _has_grown(blocks):
        return []
    found = sorted(_growing(blocks), reverse=True)
    return [
        f"{name} became slower while the load stayed the same: its median was {format_ms(first_ms)} at the beginning "
        f"and {format_ms(last_ms)} at the end; something leaks or fills up, and a longer run would show it worse"
        for _, name, first_ms, last_ms in found[:_MOST_NOTES]
    ]


def _blocks(record: Record, window: Window) -> dict[Series, list[_Block]]:
    """The successes of each series by blocks of time, all equally long."""
    count = min(_BLOCKS, int(window.seconds + 0.5)) if math.isfinite(window.seconds) else 0
    if count < _FEWEST_BLOCKS:
        return {}
    found: defaultdict[Series, list[_Block]] = defaultdict(lambda: [_Block() for _ in range(count)])
    for one in record.intervals:
        if one.series.kind in _KINDS and not one.series.failed and inside(one.start_s, one.length_s, window):
            at = (one.start_s + one.length_s / 2 - window.start_s) / window.seconds
            block = found[one.series][min(int(at * count), count - 1)]
            block.samples += len(one.histogram)
            block.weighed_ms += len(one.histogram) * one.histogram.percentile_us(50) / 1000
    return found


def _has_grown(blocks: Mapping[Series, Sequence[_Block]]) -> bool:
    """Whether more succeeded towards the end than at the beginning, over all series."""
    totals = [sum(block.samples for block in together) for together in zip(*blocks.values(), strict=True)]
    part = len(totals) // 3
    return sum(totals[-part:]) > _SAME_LOAD * sum(totals[:part]) if part else True


def _growing(blocks: Mapping[Series, Sequence[_Block]]) -> Iterator[tuple[float, str, float, float]]:
    """Of each series that grew: how many times, its name, and the medians of its first and its last third."""
    for series, each in blocks.items():
        medians = [block.median_ms for block in each if block.samples >= _FEWEST_SAMPLES]
        part = len(medians) // 3
        if len(medians) >= _FEWEST_BLOCKS and _trend(medians) > _SURE:
            first_ms, last_ms = sum(medians[:part]) / part, sum(medians[-part:]) / part
            if last_ms > _TIMES * first_ms and last_ms - first_ms > _LEAST_MS:
                yield last_ms / first_ms, series.name, first_ms, last_ms


def _trend(values: Sequence[float]) -> float:
    """Mann and Kendall's S in standard deviations: how surely values rise in their order."""
    count = len(values)
    rising = sum((later > one) - (later < one) for at, one in enumerate(values) for later in values[at + 1 :])
    return rising / math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
