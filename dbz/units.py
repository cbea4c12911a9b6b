"""Durations, rates, sizes, bandwidths and percentages as people write them: one parser and one printer each.

Parsers take text (or a bare number where that is unambiguous) and raise `ValueError` with a message that names
what would be allowed; callers add where the text stands.
"""

from __future__ import annotations

import math
import re

_DURATION_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE_BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_BITS = {"bit": 1, "kbit": 10**3, "Mbit": 10**6, "Gbit": 10**9}
_PER_S = {"s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_NUMBER = r"(\d+(?:\.\d+)?)"
_DURATION_PART = re.compile(_NUMBER + r"(us|ms|min|s|m|h|d)")
_DURATION = re.compile(rf"(?:{_DURATION_PART.pattern})+")

_LONGEST_S = 100 * 365 * 86_400.0
_MOST = 1e15

DURATION_PATTERN = r"^\s*(\d+(\.\d+)?\s*(us|ms|min|s|m|h|d)\s*)+$"
RATE_PATTERN = r"^\s*\d+(\.\d+)?\s*/\s*(sec|s|min|m|h)\s*$"
SIZE_PATTERN = r"^\s*\d+(\.\d+)?\s*(B|KB|MB|GB|KiB|MiB|GiB)\s*$"
PERCENT_PATTERN = r"^\s*\d+(\.\d+)?\s*%\s*$"
BANDWIDTH_PATTERN = r"^\s*\d+(\.\d+)?\s*(bit|kbit|Mbit|Gbit)\s*(/\s*s)?\s*$"
"""What the parsers take, for editors that know regular expressions only."""

DURATION_FORMS = "500ms, 60s, 1m30s, 2h"
RATE_FORMS = "200/s, 5000/min, 100/h"
SIZE_FORMS = "512B, 150MB, 4GB, 64MiB"
PERCENT_FORMS = "0.1%, 70%"
BANDWIDTH_FORMS = "750kbit, 1.6Mbit, 1Gbit"


def parse_duration(text: str) -> float:
    """Seconds in a duration such as `500ms` or `1m30s`."""
    compact = text.replace(" ", "")
    if not _DURATION.fullmatch(compact):
        raise ValueError(f"'{text}' is not a duration; write for example {DURATION_FORMS}")
    parts = _DURATION_PART.findall(compact)
    return _bounded(sum(float(number) * _DURATION_S[unit] for number, unit in parts), _LONGEST_S, "duration")


def parse_rate(text: str) -> float:
    """Events a second in a rate such as `200/s` or `5000/min`."""
    match = re.fullmatch(_NUMBER + r"/(sec|s|min|m|h)", text.replace(" ", ""))
    if not match:
        raise ValueError(f"'{text}' is not a rate; write for example {RATE_FORMS}")
    return _bounded(float(match[1]) / _PER_S[match[2]], _MOST, "rate")


def parse_size(text: str) -> int:
    """Bytes in a size such as `150MB` (decimal) or `64MiB` (binary)."""
    match = re.fullmatch(_NUMBER + r"(B|KB|MB|GB|KiB|MiB|GiB)", text.replace(" ", ""))
    if not match:
        raise ValueError(f"'{text}' is not a size; write for example {SIZE_FORMS}")
    return round(_bounded(float(match[1]) * _SIZE_BYTES[match[2]], _MOST, "size"))


def parse_percent(text: str) -> float:
    """The share, as a fraction of one, in a percentage such as `0.1%`."""
    match = re.fullmatch(_NUMBER + r"%", text.replace(" ", ""))
    if not match:
        raise ValueError(f"'{text}' is not a percentage; write for example {PERCENT_FORMS}")
    return _bounded(float(match[1]) / 100, _MOST, "percentage")


def parse_bandwidth(text: str) -> float:
    """Bits a second in a bandwidth such as `750kbit` or `1.6Mbit/s`; the units are decimal."""
    match = re.fullmatch(_NUMBER + r"(bit|kbit|Mbit|Gbit)(/s)?", text.replace(" ", ""))
    if not match:
        raise ValueError(f"'{text}' is not a bandwidth; write for example {BANDWIDTH_FORMS}")
    return _bounded(float(match[1]) * _BITS[match[2]], _MOST, "bandwidth")


def _bounded(value: float, most: float, kind: str) -> float:
    """`value`, unless it is larger than anything that is counted or waited for: digits without end make infinity."""
    if value > most:
        raise ValueError(f"a {kind} of {value:.3g} is too large to mean anything")
    return value


def format_duration(seconds: float) -> str:
    """A short duration: `250 us`, `12.3 ms`, `4.2 s`, `1m30s`, `2h05m`."""
    if seconds < 0:
        return "-" + format_duration(-seconds)
    if seconds == 0:
        return "0 s"
    if seconds < 0.001:
        return f"{seconds * 1e6:.3g} us"
    if seconds < 1:
        return format_ms(seconds * 1000)
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s" if rest else f"{minutes}m"
    return f"{minutes // 60}h{minutes % 60:02d}m"


def format_days(seconds: float) -> str:
    """A duration that may be long: as `format_duration` below two days, and then `30 days`."""
    return format_duration(seconds) if seconds < 2 * 86_400 else f"{seconds / 86_400:.3g} days"


def format_ms(milliseconds: float) -> str:
    """Milliseconds with three significant digits: `0.42 ms`, `12.3 ms`, `1,240 ms`."""
    if abs(milliseconds) >= 100:
        return f"{milliseconds:,.0f} ms"
    return f"{milliseconds:.3g} ms"


def format_bytes(count: float) -> str:
    """Bytes in decimal units: `512 B`, `1.2 MB`, `3.4 GB`."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if abs(count) >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} B"


def format_bandwidth(bit_per_s: float) -> str:
    """Bits a second in decimal units: `750 kbit`, `1.6 Mbit`."""
    for unit, size in (("Gbit", 1e9), ("Mbit", 1e6), ("kbit", 1e3)):
        if bit_per_s >= size:
            return f"{bit_per_s / size:.4g} {unit}"
    return f"{bit_per_s:.4g} bit"


def format_percent(share: float) -> str:
    """A share of one as a percentage: four digits, and as many more as keep it from looking like 0 % or 100 %."""
    percent = share * 100
    if not math.isfinite(percent) or percent == 0 or abs(percent) >= 1e6:
        return f"{percent:,.4g} %" if abs(percent) < 1e6 else f"{percent:,.0f} %"
    text = f"{percent:.4g}"
    if text == "100" and percent != 100:  # two digits of what is missing
        text = f"{percent:.{1 - math.floor(math.log10(abs(100 - percent)))}f}".rstrip("0")
    return f"{_without_exponent(text, percent)} %"


def format_number(value: float) -> str:
    """A plain number with three significant digits, and all of those before the point: `0.05`, `4.2`, `12,300`."""
    return f"{value:,.0f}" if abs(value) >= 100 else _without_exponent(f"{value:.3g}", value)


def format_times(ratio: float) -> str:
    """How many times something is as much: `2.5x`, `1,030x`."""
    return f"{format_number(ratio)}x"


def _without_exponent(text: str, value: float) -> str:
    if "e" not in text or not math.isfinite(value):
        return text
    digits = text.partition("e")[0].lstrip("-").replace(".", "")
    return f"{value:.{len(digits) - 1 - math.floor(math.log10(abs(value)))}f}" if abs(value) < 1 else f"{value:,.0f}"


def counted(count: int, what: str, many: str = "") -> str:
    """How many of something there are, in words: `1 user`, `1,200 users`, `3 copies`."""
    return f"{count:,} {what if count == 1 else many or what + 's'}"


def format_rate(per_s: float) -> str:
    """A rate with three significant digits: `0.7/s`, `42/s`, `12,300/s`."""
    return f"{format_number(per_s)}/s"
