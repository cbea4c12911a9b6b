"""One dbz of a state folder at a time: kernel locks, which are given back however a process ends."""

from __future__ import annotations

import fcntl
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO

from dbz.bounded import CONFIGURATION, parse_json, read_within
from dbz.children.identity import is_gone, myself
from dbz.errors import UsageError
from dbz.scaling.change.journal import folder
from dbz.scaling.change.state import Place

RETRY_S = 0.5


class LockRole(StrEnum):
    """What only one dbz at a time is to a service; the value is what the service is then."""

    FOLLOW = "is followed"
    CHANGE = "is being changed"


@contextmanager
def sole(place: Place, role: LockRole, what: str, *, wait: Callable[[float], bool] | None = None) -> Iterator[None]:
    """Be the only dbz of this state folder that has a role.

    While another one has it: `UsageError` names that one, or with `wait`, which sleeps so many seconds and says whether
    the user asked to stop, it is waited for; `KeyboardInterrupt` when the user did.
    """
    path = _path(place, role)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = path.open("a+b")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", code="E006") from error
    with lock:
        while not _try(lock):
            if wait is None:
                holder = present(place, role) or "another dbz"
                waits = "--standby waits until it ends" if role is LockRole.FOLLOW else "wait for it"
                hint = f"{waits}; dbz scale status shows what goes on"
                raise UsageError(
                    f"{place.service} in {place.cluster} {role} already by {holder}", hint=hint, code="S017"
                )
            if wait(RETRY_S):
                raise KeyboardInterrupt
        _write(lock, json.dumps({**myself(), "what": what}))
        try:
            yield
        finally:
            _write(lock, "")


def present(place: Place, role: LockRole) -> str:
    """The dbz of this state folder that has a role now, in words; empty when none has.

    It is read, not tried: to try is to have it for a moment, and to refuse it to another.
    """
    try:
        holder = parse_json(read_within(_path(place, role), CONFIGURATION), role.name)
        return "" if is_gone(holder) else f"{holder['what']} (process {holder['pid']})"
    except (OSError, ValueError, KeyError, TypeError, UsageError):
        return ""


def _path(place: Place, role: LockRole) -> Path:
    return folder() / (re.sub(r"[^A-Za-z0-9_-]", "_", place.key(role.name).replace("/", "-")) + ".lock")


def _try(lock: IO[bytes]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(lock: IO[bytes], text: str) -> None:
    lock.truncate(0)
    lock.write(text.encode())
    lock.flush()
