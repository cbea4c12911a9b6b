"""The app's own hash, bit for bit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.shards.legacy import legacy_hash

# Printed by the app's own function, run in Node:
#   let h = 0; for (let i = 0; i < s.length; i++) { h = ((h << 5) - h) + s.charCodeAt(i); h = h & h } Math.abs(h)
PRINTED_BY_NODE = {
    "": 0,
    "a": 97,
    "club00": 1357359818,
    "club01": 1357359817,
    "club-123": 1247186075,
    "\ubc30\ub4dc\ubbfc\ud134 \ud074\ub7fd": 1453771589,
    "\U0001f3f8": 1773372,
    "polygenelubricants": 2147483648,
    "550e8400-e29b-41d4-a716-446655440000": 1716781005,
    "\xe9\x00z": 224035,
    "\uffff\uffff\uffff": 65076255,
    "\ud83c": 55356,
}


def to_int32(number: int) -> int:
    return (number + 2**31) % 2**32 - 2**31


def as_written(text: str) -> int:
    """The app's loop with JavaScript's operators spelt out."""
    value = 0
    encoded = text.encode("utf-16-le", "surrogatepass")
    for at in range(0, len(encoded), 2):
        unit = int.from_bytes(encoded[at : at + 2], "little")
        value = to_int32(to_int32(value << 5) - value + unit)
    return abs(value)


@pytest.mark.parametrize(("text", "value"), PRINTED_BY_NODE.items())
def test_what_node_prints(text: str, value: int) -> None:
    assert legacy_hash(text) == value


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_any_text_and_lone_surrogates(text: str) -> None:
    assert legacy_hash(text) == as_written(text)


def test_the_one_value_whose_absolute_is_not_a_32_bit_integer() -> None:
    assert legacy_hash("polygenelubricants") == 2**31
