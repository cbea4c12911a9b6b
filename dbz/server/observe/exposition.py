"""Prometheus text, exposition format 0.0.4, written line by line.

The official client makes objects of every sample first: a page of sixty histograms took it fifty milliseconds, in which
the event loop stood still, once a second and for everybody who looks.
"""

from __future__ import annotations

from collections.abc import Sequence

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


def family_head(name: str, kind: str, text: str) -> str:
    """What stands before the samples of a metric of this kind (`counter`, `gauge`, `histogram`)."""
    shown = text.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {name} {shown}\n# TYPE {name} {kind}\n"


def label_block(names: Sequence[str], values: Sequence[str]) -> str:
    """The labels of a sample in braces, by name, as the official client has them; nothing where there are none."""
    if not names:
        return ""
    pairs = (f'{name}="{_escaped(value)}"' for name, value in sorted(zip(names, values, strict=True)))
    return f"{{{','.join(pairs)}}}"


def sample_line(name: str, labels: str, value: float) -> str:
    """One sample; `labels` as `label_block` makes them."""
    return f"{name}{labels} {float(value)!r}\n"


def gauge(name: str, text: str, value: float) -> str:
    """A gauge without labels."""
    return family_head(name, "gauge", text) + sample_line(name, "", value)


def _escaped(value: str) -> str:
    if "\\" in value or '"' in value or "\n" in value:
        return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return value
