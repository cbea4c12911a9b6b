"""The small file by which other commands find a running `dbz serve`.

It lies in `$DBZ_STATE_DIR`, else `$XDG_STATE_HOME/dbz`, else `~/.local/state/dbz`, so there is one running stack for
each such folder. A file whose writer is gone counts for nothing: the process is looked up by its id and its start
time, because an id is given out again.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from dbz.config.folders import read_private, state_dir, write_private
from dbz.errors import UsageError
from dbz.hosts import is_loopback
from dbz.stack.stack import Stack

SCHEMA = "dbz.stack/1"
_SAME_START_S = 1.0


@dataclass(frozen=True)
class RunningStack:
    """What the file says."""

    pid: int
    """The process of `dbz serve`."""
    started: str
    """When that process started: UTC, ISO 8601. With the id it names the process for good."""
    url: str
    mongo_uri: str
    redis_url: str
    pids: dict[str, int]
    """The processes of the parts, by name."""
    logs: str
    """The folder of their logs."""
    cloud_url: str = ""
    """The local cloud's, empty without one."""
    shards: dict[str, str] = field(default_factory=dict)
    """The environment variables of the bundled shards file; empty with one store."""

    def document(self) -> dict[str, object]:
        """The JSON document, with its schema."""
        return {"schema": SCHEMA, **asdict(self)}


def describe(stack: Stack) -> RunningStack:
    """`stack` as run by this process."""
    return RunningStack(
        pid=os.getpid(),
        started=_started(os.getpid()).isoformat(timespec="milliseconds"),
        url=stack.url,
        mongo_uri=stack.mongo_uri,
        redis_url=stack.redis_url,
        pids=stack.pids,
        logs=str(stack.logs),
        shards=stack.shards,
        cloud_url=stack.cloud_url,
    )


def find_stack() -> RunningStack | None:
    """The stack of the running `dbz serve`, or None when there is none.

    Commands write to the addresses that it names, so a file that somebody else may have written, or that leads to
    another machine, counts for nothing.
    """
    try:
        document = json.loads(read_private(_file()))
        if document.pop("schema") != SCHEMA:
            return None
        running = RunningStack(**document)
        return running if _is_running(running) and _is_on_this_machine(running) else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


@contextmanager
def claim() -> Iterator[None]:
    """Hold the right to be the one `dbz serve` of this state folder; the state file is removed at the end.

    Raises `UsageError` when another process holds it, or when the folder cannot be written.
    """
    with _locked(state_dir() / "stack.lock"):
        try:
            yield
        finally:
            _file().unlink(missing_ok=True)


def publish(running: RunningStack) -> None:
    """Write the state file, whole or not at all; the caller holds the claim."""
    try:
        write_private(_file(), json.dumps(running.document(), indent=2) + "\n")
    except OSError as error:
        raise _not_writable(error) from error


def _file() -> Path:
    return state_dir() / "stack.json"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = path.open("ab")
    except OSError as error:
        raise _not_writable(error) from error
    with lock:
        try:
            # The kernel gives the lock back however this process ends, so it can never be stale.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _refusal() from error
        yield


def _not_writable(error: OSError) -> UsageError:
    return UsageError(
        f"the state folder {state_dir()} cannot be written: {error.strerror}",
        hint="set DBZ_STATE_DIR to a folder that you can write to",
        code="E019",
    )


def _refusal() -> UsageError:
    running = find_stack()
    if running is None:
        return UsageError(
            f"another `dbz serve` is starting or stopping (state folder {state_dir()})",
            hint="try again in a moment",
            code="E018",
        )
    return UsageError(
        f"`dbz serve` is running already: {running.url}, process {running.pid}, since {running.started}",
        hint=f"use it (dbz load mixed --target {running.url}), stop it (kill {running.pid}), "
        "or run a second one with DBZ_STATE_DIR set to another folder and another --port",
        code="E018",
    )


def _is_running(running: RunningStack) -> bool:
    with suppress(psutil.Error):
        difference_s = (_started(running.pid) - datetime.fromisoformat(running.started)).total_seconds()
        return abs(difference_s) < _SAME_START_S
    return False


def _is_on_this_machine(running: RunningStack) -> bool:
    stores = [value for name, value in running.shards.items() if name.endswith(("_URI", "_URL"))]
    optional = [url for url in (running.cloud_url, *stores) if url]
    return all(_names_loopback(url) for url in (running.url, running.mongo_uri, running.redis_url, *optional))


def _names_loopback(url: str) -> bool:
    parts = urlsplit(url)
    # A list of hosts (mongodb://a:1,b:2) has no port that is a number: ValueError.
    return is_loopback(parts.hostname or "") and parts.port is not None


def _started(pid: int) -> datetime:
    return datetime.fromtimestamp(psutil.Process(pid).create_time(), UTC)
