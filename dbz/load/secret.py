"""The secret of a run: what a worker must know before a master tells it anything, or takes its record.

Workers that dbz starts itself get a fresh secret with their orders. Those that join from elsewhere share the variable
`DBZ_WORKER_SECRET` with their master. On one machine nobody has to set it: the master leaves a fresh one in a file
that only the same user can read.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from dbz.config.folders import read_private, state_dir, write_private
from dbz.errors import DependencyError, UsageError
from dbz.hosts import is_loopback
from dbz.load.spec import SECRET_VARIABLE, WORKER_PATIENCE_S

_POLL_S = 0.1
_SHORTEST = 16
"""Who overhears a greeting can try out texts without asking anybody: shorter ones, or one word, would be found."""


def new_secret() -> str:
    """256 random bits."""
    return secrets.token_hex(32)


@contextmanager
def master_secret(host: str, port: int) -> Iterator[str]:
    """The secret of a master that listens there, kept where workers find it until the run ends.

    `UsageError` when workers of other machines could not know it, or the file cannot be written.
    """
    given = _given(host)
    if given:
        yield given
        return
    if not is_loopback(host):
        hint = f"on every machine: export {SECRET_VARIABLE}=…, the same long random text (openssl rand -hex 32)"
        raise UsageError(
            f"workers of other machines must prove a secret, and {SECRET_VARIABLE} is not set", hint=hint, code="L011"
        )
    secret, path = new_secret(), _file(port)
    try:
        write_private(path, json.dumps({"pid": os.getpid(), "secret": secret}))
    except OSError as error:
        hint = f"set {SECRET_VARIABLE} for master and workers, or DBZ_STATE_DIR to a folder that you can write to"
        raise UsageError(
            f"the secret of the run cannot be kept in {path}: {error.strerror}", hint=hint, code="L011"
        ) from error
    try:
        yield secret
    finally:
        path.unlink(missing_ok=True)


def worker_secret(host: str, port: int, interrupted: Callable[[], bool]) -> str:
    """The secret of the master that listens there; waits until a master on this machine has left it.

    `UsageError` when it is a master elsewhere and the variable is not set, `DependencyError` when no master came.
    """
    given = _given(host)
    if given:
        return given
    if not is_loopback(host):
        hint = f"export {SECRET_VARIABLE}=… with the value that the master at {host} was started with"
        raise UsageError(
            f"a master on another machine wants a secret, and {SECRET_VARIABLE} is not set", hint=hint, code="L011"
        )
    deadline_s = time.monotonic() + WORKER_PATIENCE_S
    while time.monotonic() < deadline_s and not interrupted():
        if secret := _left_by_master(port):
            return secret
        time.sleep(_POLL_S)
    hint = f"a master that another user started wants the variable {SECRET_VARIABLE}"
    raise DependencyError(f"no master answered at {host}:{port} within {WORKER_PATIENCE_S:g} s", hint=hint, code="L012")


def _given(host: str) -> str:
    """What the variable says; `UsageError` when it is too short for a network that others hear."""
    given = os.environ.get(SECRET_VARIABLE, "")
    if given and len(given) < _SHORTEST and not is_loopback(host):
        raise UsageError(
            f"{SECRET_VARIABLE} is too short for runs with other machines: at least {_SHORTEST} characters",
            hint=f"on every machine: export {SECRET_VARIABLE}=…, the same long random text (openssl rand -hex 32)",
            code="L011",
        )
    return given


def _left_by_master(port: int) -> str:
    try:
        left = json.loads(read_private(_file(port)))
        return str(left["secret"]) if psutil.pid_exists(left["pid"]) else ""
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return ""


def _file(port: int) -> Path:
    return state_dir() / f"worker-secret-{port}"
