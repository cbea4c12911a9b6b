"""Filters that people write for a document store: read, and refused with a reason before or by the store."""

from __future__ import annotations

from collections.abc import Mapping
from json import JSONDecodeError
from typing import Any

from bson import encode
from bson.codec_options import DatetimeConversion
from bson.json_util import JSONOptions, loads

from dbz.printable import printable

_REFUSALS = frozenset({2, 4, 9, 14, 15, 16, 28, 40, 52, 53, 57, 72, 115, 168, 224})
_ANY_DATE = JSONOptions(tz_aware=True, datetime_conversion=DatetimeConversion.DATETIME_AUTO)
_ASSERTIONS = 15_000
"""From here on the server's numbers are those of single checks of what it was asked."""


def parse_filter(text: str) -> dict[str, Any]:
    """The filter in extended JSON; `ValueError` says what in it is no JSON, or no BSON."""
    try:
        document = loads(text, json_options=_ANY_DATE)
    except Exception as error:  # each type of extended JSON has an exception of its own
        kind = "JSON" if isinstance(error, JSONDecodeError) else "extended JSON"
        raise ValueError(f"the filter is not {kind}: {reason(error)}") from error
    if not isinstance(document, dict):
        raise ValueError('the filter must be a JSON object, like \'{"status": "ongoing"}\'')
    check_filter(document)
    return document


def check_filter(document: Mapping[str, Any]) -> None:
    """`ValueError` when a store could not even be sent this."""
    try:
        encode(document)
    except Exception as error:  # OverflowError, InvalidDocument, UnicodeEncodeError, RecursionError, …
        raise ValueError(f"the filter cannot be written as BSON: {reason(error)}") from error


def refusal(error: Exception) -> str:
    """Why a store refuses what it was asked, in a line; empty when it failed for another reason than the question."""
    code = getattr(error, "code", None)
    if not isinstance(code, int) or not (code in _REFUSALS or code >= _ASSERTIONS):
        return ""
    details = getattr(error, "details", None) or {}
    return reason(ValueError(str(details.get("errmsg") or error)))


def reason(error: Exception) -> str:
    """The first line of an error, short."""
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    if isinstance(error, UnicodeError):
        return "a text in it is no Unicode text (half of a surrogate pair)"
    if isinstance(error, OverflowError):
        return "a number in it has more than 64 bits" if "8-byte" in str(error) else "a date in it is out of range"
    if isinstance(error, ArithmeticError):
        return "a $numberDecimal in it is no number"
    text = str(error) or type(error).__name__
    text = text.partition(", full error")[0].splitlines()[0]
    return printable(text[:200])
