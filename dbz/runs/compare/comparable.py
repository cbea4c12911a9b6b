"""Whether two runs can be compared: the same load, from as many workers, on the same kind of target."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

from dbz.errors import UsageError
from dbz.runs.schema import Run, RunVerdict

FORCE_HINT = "compare runs of one profile, or take the figures as they are with --force"
_NOT_THE_LOAD = {"schema", "name", "about", "budgets", "allowed_targets", "seed", "health", "metrics"}
"""Keys of a profile that do not say what is loaded, or how."""
_UNJUDGED = {RunVerdict.RUNNING, RunVerdict.INVALID, RunVerdict.INTERRUPTED}


def profile_hash(profile: dict[str, Any]) -> str:
    """Twelve digits that are equal for loads that are the same."""
    return hashlib.sha256(json.dumps(_load(profile), sort_keys=True, default=str).encode()).hexdigest()[:12]


def _load(profile: dict[str, Any]) -> dict[str, Any]:
    load = {key: value for key, value in profile.items() if key not in _NOT_THE_LOAD}
    if "scenario" in load:
        load["scenario"] = PurePath(str(load["scenario"])).stem  # the same file lies elsewhere on another machine
    return load


def obstacles(base: Run, new: Run) -> list[str]:
    """What makes the comparison of two runs meaningless, one sentence each; empty when nothing does."""
    return [*untrusted(base), *untrusted(new), *load_differences(base, new)]


def untrusted(run: Run) -> list[str]:
    """Why the figures of a run are worth nothing; empty when they are."""
    return [f"{run.id} is {run.verdict.value}, its figures cannot be trusted"] if run.verdict in _UNJUDGED else []


def load_differences(base: Run, new: Run) -> list[str]:
    """In what the loads of two runs differ, also when one of them has yet to be made."""
    before, after = _load(base.profile), _load(new.profile)
    found = [
        f"{key} differs: {_shown(before.get(key))} in {base.id}, {_shown(after.get(key))} in {new.id}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]
    if _target(base) != _target(new):
        found.append(f"the target differs: {_target(base)} in {base.id}, {_target(new)} in {new.id}")
    return found


def refuse_incomparable(base: Sequence[Run], new: Sequence[Run], *, force: bool) -> list[str]:
    """What speaks against a comparison; `UsageError` with all of it unless it is forced."""
    first = base[0]
    against = [text for run in (*base[1:], *new) for text in obstacles(first, run)]
    return refused(against, force=force)


def refused(against: Sequence[str], *, force: bool) -> list[str]:
    """What speaks against a comparison, each once; `UsageError` unless it is forced."""
    every = list(dict.fromkeys(against))
    if every and not force:
        raise UsageError("these runs cannot be compared:\n  " + "\n  ".join(every), hint=FORCE_HINT, code="R002")
    return every


def cautions(base: Run, new: Run) -> list[str]:
    """What may explain a difference and is not the code: another machine, another dbz."""
    pairs = [(name, base.environment.get(name), new.environment.get(name)) for name in ("platform", "cpus")]
    pairs += [(f"the version of {name}", base.versions.get(name), new.versions.get(name)) for name in ("dbz", "python")]
    return [f"{name} differs: {before}, now {after}" for name, before, after in pairs if before != after]


def _target(run: Run) -> str:
    """Where the load went; the port of an embedded stack or of loopback is an accident."""
    if run.embedded:
        return "the embedded stack"
    parts = urlsplit(run.target)
    local = parts.hostname in ("127.0.0.1", "localhost", "::1")
    return f"{parts.scheme}://{'this machine' if local else parts.netloc}"


def _shown(value: object) -> str:
    return "not set" if value in (None, [], "") else str(value)
