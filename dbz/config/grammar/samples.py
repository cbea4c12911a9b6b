"""Series as tests write them: `100x6 2500msx12 _x3 10+5%x4`.

    series = sample { sample }
    sample = ( "_" | number [ ("+" | "-") number ] [ unit ] ) [ "x" count ]
    unit   = "%" | "ms" | "s" | "/s" | "/min"

A sample stands for one reading, or for `count` of them; `_` for none. `10+5x4` is 10, 15, 20, 25. Without a unit a
number is in that of the metric (milliseconds, so many a second), but shares are written with `%`.
"""

from __future__ import annotations

import re

from dbz.config.grammar.watched import UNIT_OF, MetricUnit, Watched

MOST_SAMPLES = 1_000_000
_SAMPLE = re.compile(
    r"(?:(?P<none>_)|(?P<first>\d+(?:\.\d+)?)(?P<step>[+-]\d+(?:\.\d+)?)?(?P<unit>%|ms|s|/s|/min)?)(?:x(?P<count>\d{1,7}))?"
)
_SCALES: dict[MetricUnit, dict[str | None, float]] = {
    MetricUnit.SHARE: {"%": 0.01},
    MetricUnit.TIME: {None: 1.0, "ms": 1.0, "s": 1000.0},
    MetricUnit.RATE: {None: 1.0, "/s": 1.0, "/min": 1 / 60},
    MetricUnit.NUMBER: {None: 1.0},
}
_FORM = "write for example 100x6 2500x12 _x3"


def parse_samples(text: str, metric: Watched | None) -> list[float | None]:
    """The readings that a text stands for, in the unit of a metric; None for `up`, which is 1 or 0.

    `ValueError` names the sample that is wrong.
    """
    scales = _SCALES[MetricUnit.NUMBER if metric is None else UNIT_OF[metric]]
    values: list[float | None] = []
    for word in text.split():
        match = _SAMPLE.fullmatch(word)
        if match is None:
            raise ValueError(f"'{word}' is not a sample; {_FORM}")
        count = int(match["count"] or 1)
        if not 0 < count <= MOST_SAMPLES - len(values):
            raise ValueError(f"'{word}': a series has at least one and at most {MOST_SAMPLES:,} samples")
        values += [None] * count if match["none"] else _numbers(match, word, count, scales)
    if not values:
        raise ValueError(f"has no samples; {_FORM}")
    if metric is None and (wrong := next((one for one in values if one not in (0, 1, None)), None)) is not None:
        raise ValueError(f"up is 1 or 0, not {wrong:g}")
    return values


def _numbers(match: re.Match[str], word: str, count: int, scales: dict[str | None, float]) -> list[float | None]:
    first, step, unit = float(match["first"]), float(match["step"] or 0), match["unit"]
    if unit not in scales and not (unit is None and first == step == 0):
        units = ", ".join(repr(one) for one in scales if one is not None)
        raise ValueError(
            f"'{word}' has {f'the unit {unit}' if unit else 'no unit'}; "
            + (f"this metric is written with {units}" if units else "this metric is a plain number")
        )
    scale = scales.get(unit, 1.0)
    if first + step * (count - 1) < 0:
        raise ValueError(f"'{word}' goes below 0")
    return [(first + step * number) * scale for number in range(count)]
