"""Password hashes, `pbkdf2_sha256$rounds$salt$hash` (PBKDF2 with HMAC-SHA-256, RFC 8018)."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

_NICER = 10
_LIGHT_ROUNDS = 500
"""Up to so many take a third of a millisecond: less than to hand them to a thread and back."""


def hash_password(password: str, rounds: int, salt: bytes | None = None) -> str:
    """A string to be stored for `password`."""
    salt = os.urandom(12) if salt is None else salt
    return f"pbkdf2_sha256${rounds}${salt.hex()}${_derive(password, salt, rounds).hex()}"


class Passwords:
    """Hashes of `rounds` rounds, made in threads of their own, which leave the core to the event loop when it wants it.

    In the threads that everybody shares, a few sign-ins would take the processor from all other requests.
    """

    def __init__(self, rounds: int, threads: int) -> None:
        self._rounds = rounds
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="passwords", initializer=_step_back)

    async def hash(self, password: str) -> str:
        """A string to be stored for a new password."""
        salt = os.urandom(12)
        return f"pbkdf2_sha256${self._rounds}${salt.hex()}${(await self._derived(password, salt, self._rounds)).hex()}"

    async def verify(self, password: str, stored: str | None) -> bool:
        """Whether `password` is the one behind `stored`; takes as long for a user that does not exist (None)."""
        _, rounds, salt, expected = (stored or f"-${self._rounds}$00$00").split("$")
        derived = await self._derived(password, bytes.fromhex(salt), int(rounds))
        return hmac.compare_digest(derived, bytes.fromhex(expected))

    def stop(self) -> None:
        """Take no more work, and forget what waits."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _derived(self, password: str, salt: bytes, rounds: int) -> bytes:
        if rounds <= _LIGHT_ROUNDS:
            return _derive(password, salt, rounds)
        return await asyncio.get_running_loop().run_in_executor(self._threads, _derive, password, salt, rounds)


def _derive(password: str, salt: bytes, rounds: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)


def _step_back() -> None:
    """Give this thread a lower priority, where a thread can have one of its own."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            own = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, own, os.getpriority(os.PRIO_PROCESS, own) + _NICER)
