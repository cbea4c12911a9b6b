"""Whether a resource is as a plan expects it, and how it looks in a word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dbz.scaling.change.names import POLICY_ARN

_LONGEST = 60


def same(current: object, expected: object) -> bool:
    """Whether a resource is as expected; None is only like None."""
    return current is expected if current is None or expected is None else covers(current, expected)


def covers(current: Any, expected: Any) -> bool:
    """Whether `current` says all that `expected` says; AWS adds defaults.

    A journal of an older dbz has the ARN of a policy where there is `policy:NAME` now.
    """
    if isinstance(expected, Mapping) and isinstance(current, Mapping):
        return all(key in current and covers(current[key], value) for key, value in expected.items())
    if isinstance(expected, list | tuple) and isinstance(current, list | tuple):
        return len(current) == len(expected) and all(covers(*pair) for pair in zip(current, expected, strict=True))
    if isinstance(current, str) and current.startswith(POLICY_ARN) and current != expected:
        return str(expected).endswith(f":policyName/{current.removeprefix(POLICY_ARN)}")
    if isinstance(expected, int | float) and isinstance(current, int | float):
        return float(expected) == float(current)
    return bool(current == expected)


def differences(before: Any, now: Any, name: str = "") -> list[str]:
    """Each field that differs, with its path, as `target.MinCapacity: 2 → 5`; what is not there is `none`."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        keys = [*before, *(key for key in now if key not in before)]
        paths = [f"{name}.{key}" if name else str(key) for key in keys]
        rows = [differences(before.get(key), now.get(key), path) for key, path in zip(keys, paths, strict=True)]
        return [row for some in rows for row in some]
    if before == now:
        return []
    return [f"{name}: {_brief(before)} → {_brief(now)}"]


def _brief(value: Any) -> str:
    """One value; of a whole resource only that it is there."""
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        return shown(dict(value)) if "MinCapacity" in value else "there"
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def shown(value: object) -> str:
    """A state of a resource, shortly."""
    if value is None:
        return "none"
    if isinstance(value, dict) and "MinCapacity" in value:
        return f"{value['MinCapacity']} to {value['MaxCapacity']}"
    return str(value) if isinstance(value, int) else "another"
