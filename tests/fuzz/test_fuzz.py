"""No reader ends in anything but an answer or a refusal, whatever it is given; `make fuzz` looks for much longer."""

from __future__ import annotations

import time

import pytest

from tests.fuzz.mutating import mutated
from tests.fuzz.targets import TARGETS
from tests.whole import WHOLE

TRIES = 20_000 if WHOLE else 60
_LONGEST_S = 20.0
"""Reading one content may not take so long: a hang, on a machine however busy."""


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_nearly_right_is_read_or_refused(name: str) -> None:
    target = TARGETS[name]
    seeds = list(target.seeds)
    for seed in seeds:
        target.read(seed)
    for number in range(TRIES):
        content, begun_s = mutated(seeds, number), time.monotonic()
        try:
            target.try_out(content)
        except Exception as error:
            raise AssertionError(f"try {number} of {name}: {error!r} at {content[:300]!r}") from error
        assert time.monotonic() - begun_s < _LONGEST_S, f"try {number} of {name} took long: {content[:300]!r}"
