"""One process at a time moves clubs. Who takes over raises the lease's number; the journal refuses lower ones."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, PyMongoError

from dbz.children.identity import is_gone, myself, same_machine
from dbz.errors import UsageError
from dbz.shards.deployment import Document

LEASE_ID = "lease"
_BEAT_S = 1.0
_SILENT_S = 6.0  # without a beat for so long, a holder on another machine is taken for gone


@contextlib.contextmanager
def hold_lease(control: Database[Document]) -> Iterator[int]:
    """The lease, by its number, kept alive within this block; `UsageError` while another process holds it."""
    leases = control["lease"]
    number = _acquire(leases)
    ended = threading.Event()
    heart = threading.Thread(target=_beat, args=(leases, number, ended), daemon=True)
    heart.start()
    try:
        yield number
    finally:
        ended.set()
        heart.join()
        with contextlib.suppress(PyMongoError):  # then the next holder finds out that this process is gone
            leases.update_one({"_id": LEASE_ID, "number": number}, {"$set": {"holder": None}})


def holder(control: Database[Document]) -> str | None:
    """Who holds the lease, in words; None when nobody does."""
    held = control["lease"].find_one({"_id": LEASE_ID})
    if not held or not held["holder"] or is_gone(held["holder"]):
        return None
    return f"process {held['holder']['pid']} on {held['holder']['host']}"


def _acquire(leases: Any) -> int:
    with contextlib.suppress(DuplicateKeyError):
        leases.insert_one({"_id": LEASE_ID, "number": 1, "beat": 0, "holder": myself()})
        return 1
    held = leases.find_one({"_id": LEASE_ID})
    if held["holder"] and not is_gone(held["holder"]):
        _wait_for_silence(leases, held)
    number = int(held["number"]) + 1
    taken = leases.update_one(
        {"_id": LEASE_ID, "number": held["number"], "beat": held["beat"]},
        {"$set": {"number": number, "beat": 0, "holder": myself()}},
    )
    if not taken.matched_count:
        raise _refusal(leases.find_one({"_id": LEASE_ID}))
    return number


def _wait_for_silence(leases: Any, held: Document) -> None:
    """Clocks of two machines need not agree: what counts is whether the holder still beats."""
    if same_machine(held["holder"]):
        raise _refusal(held)
    end = time.monotonic() + _SILENT_S
    while time.monotonic() < end:
        time.sleep(_BEAT_S / 2)
        now = leases.find_one({"_id": LEASE_ID})
        if (now["number"], now["beat"]) != (held["number"], held["beat"]):
            raise _refusal(now)


def _refusal(held: Document) -> UsageError:
    who = held["holder"] or {"pid": "?", "host": "?"}
    return UsageError(
        f"clubs are being moved already, by process {who['pid']} on {who['host']}",
        hint="wait for it, or pause it with Ctrl-C; dbz shard status shows what it does",
        code="H009",
    )


def _beat(leases: Any, number: int, ended: threading.Event) -> None:
    while not ended.wait(_BEAT_S):
        with contextlib.suppress(PyMongoError):
            leases.update_one({"_id": LEASE_ID, "number": number}, {"$inc": {"beat": 1}})
