"""Prometheus text and OpenMetrics, line by line: whatever else stands on a page, the lines that one wants are read."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

_LONGEST_LINE = 65_536
"""A longer line is no sample of anybody's; it is left out rather than searched."""
# Possessive repetition throughout: a line that does not fit is refused in one pass.
_QUOTED = r'"(?:[^"\\]|\\.)*+"'
_SAMPLE = re.compile(
    rf"(?P<name>[A-Za-z_:][\w:]*+)?(?:\s*+\{{(?P<labels>(?:[^\"}}]|{_QUOTED})*+)\}}\s*+|\s++)"
    r"(?P<value>[^\s_]++)(?:\s|$)",
    re.ASCII,
)
_LABEL = re.compile(rf"\s*+(?:(?P<key>[A-Za-z_]\w*+|{_QUOTED})\s*+=\s*+)?(?P<value>{_QUOTED})\s*+(?:,|$)\s*+", re.ASCII)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_UNUSUAL = re.compile(r"[^A-Za-z0-9_:]")
_TYPE = "# TYPE "


@dataclass(frozen=True)
class ExpositionSample:
    """One finite value of a metric."""

    name: str
    """In the classic spelling: `process.cpu.time` is `process_cpu_time`."""
    labels: Mapping[str, str]
    value: float


@dataclass
class Exposition:
    """The samples of an exposition that somebody wanted, by name; of equal ones the last counts."""

    samples: dict[str, list[ExpositionSample]] = field(default_factory=dict)
    """Names whose values are all NaN or infinite have an empty list: the metric is there, its value is not."""
    types: dict[str, str] = field(default_factory=dict)
    """What the exposition says of the kind of a metric: `counter`, `gauge` and so on."""


def read_page(body: bytes, wanted: Callable[[str], bool]) -> Exposition:
    """The samples whose names are wanted, in Prometheus text or OpenMetrics; lines that are neither are left out."""
    found: dict[str, dict[frozenset[tuple[str, str]], ExpositionSample]] = {}
    page = Exposition()
    for line in body.decode(errors="replace").split("\n"):
        if len(line) > _LONGEST_LINE:
            continue
        text = line.strip()
        if text.startswith(_TYPE):
            name, _, kind = text.removeprefix(_TYPE).partition(" ")
            name = plain_name(name.strip('"'))
            if wanted(name) or wanted(f"{name}_total"):
                page.types[name] = kind.strip()
        elif text and not text.startswith("#") and _may_be_wanted(text, wanted):
            for sample in _sample(text, wanted):
                of_name = found.setdefault(sample.name, {})
                if math.isfinite(sample.value):
                    of_name[frozenset(sample.labels.items())] = sample
    page.samples = {name: list(of_name.values()) for name, of_name in found.items()}
    return page


def plain_name(name: str) -> str:
    """A name in the classic spelling, in which everything but letters and digits is an underscore."""
    return _UNUSUAL.sub("_", name)


def _may_be_wanted(text: str, wanted: Callable[[str], bool]) -> bool:
    """Most lines of a page are about something else: they cost no more than this."""
    if text[0] == "{":
        return True  # a quoted name, which stands among the labels
    return wanted(text.replace("{", " ", 1).split(maxsplit=1)[0])


def _sample(text: str, wanted: Callable[[str], bool]) -> Iterator[ExpositionSample]:
    match = _SAMPLE.match(text)
    if match is None:
        return
    name, labels = match["name"] or "", dict[str, str]()
    at, block = 0, match["labels"] or ""
    while at < len(block.rstrip()):
        label = _LABEL.match(block, at)
        if label is None:
            return
        value = _unquoted(label["value"])
        if label["key"] is None:
            name = name or plain_name(value)
        else:
            labels[plain_name(label["key"].strip('"'))] = value
        at = label.end()
    try:
        value_of = float(match["value"])
    except ValueError:
        return
    if name and wanted(name):
        yield ExpositionSample(name, labels, value_of)


def _unquoted(text: str) -> str:
    return _ESCAPED.sub(lambda match: "\n" if match[1] == "n" else match[1], text[1:-1])
