"""Text from outside without what would steer a terminal: the one place that says which characters those are."""

from __future__ import annotations

import re

_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but for tab and newline, DEL, C1 (ESC [ as one character among them)
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # turn the order of what follows around
    "\u2028\u2029\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"  # other line ends, and what cannot be seen at all
)


def without_steering(text: str) -> str:
    """The text with U+FFFD for each character that steers a terminal or hides text; tabs and newlines stay."""
    return _STEERING.sub("\N{REPLACEMENT CHARACTER}", text)


def no_formula(text: str) -> str:
    """A cell of a CSV file that no spreadsheet takes for a formula (OWASP, CSV injection), and no terminal obeys."""
    plain = printable(text, keep="\n")
    return f"'{plain}" if text.lstrip(" \n").startswith(("=", "+", "-", "@", "\t", "\r")) else plain


def printable(text: str, keep: str = "") -> str:
    """The text with U+FFFD for each character that is not printable in the sense of Python, but for those in `keep`."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() or sign in keep else "\N{REPLACEMENT CHARACTER}" for sign in text)
