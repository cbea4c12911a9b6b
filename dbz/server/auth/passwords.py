"""Password hashes, `pbkdf2_sha256$rounds$salt$hash` (PBKDF2 with HMAC-SHA-256, RFC 8018)."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os


def hash_password(password: str, rounds: int, salt: bytes | None = None) -> str:
    """A string to be stored for `password`."""
    salt = os.urandom(12) if salt is None else salt
    return f"pbkdf2_sha256${rounds}${salt.hex()}${_derive(password, salt, rounds).hex()}"


async def verify_password(password: str, stored: str | None) -> bool:
    """Whether `password` is the one behind `stored`; takes as long for a user that does not exist (None)."""
    _, rounds, salt, expected = (stored or hash_password("", 1000, b"nobody")).split("$")
    derived = await asyncio.to_thread(_derive, password, bytes.fromhex(salt), int(rounds))
    return hmac.compare_digest(derived, bytes.fromhex(expected)) and stored is not None


def _derive(password: str, salt: bytes, rounds: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
