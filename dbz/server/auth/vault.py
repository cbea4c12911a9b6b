"""Secrets of others that must be stored: encrypted with AES-256-GCM, under keys that can be replaced."""

from __future__ import annotations

import base64
import binascii
import os
import re

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from dbz.errors import UsageError

_NONCE_BYTES, _KEY_BYTES = 12, 32
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}").fullmatch
HOW = """python -c "import base64, os; print('k1:' + base64.b64encode(os.urandom(32)).decode())\""""
"""A command that prints a key."""


def throwaway_key() -> str:
    """A key that nobody else has, and nothing is sealed with."""
    return f"own:{base64.b64encode(os.urandom(_KEY_BYTES)).decode()}"


class VaultError(Exception):
    """Something that was sealed cannot be opened: its key is gone, or it was changed, or moved to another place."""


class Vault:
    """Seals with the first of its keys and opens with any of them.

    `keys` is `id:base64,id:base64`, each of 32 bytes; a new key is put before the others, and an old one may go when
    nothing is sealed with it any more. `UsageError` for keys that are none; it does not repeat them.
    """

    def __init__(self, keys: str) -> None:
        self._ciphers: dict[str, AESGCM] = {}
        for number, entry in enumerate(filter(None, (part.strip() for part in keys.split(","))), 1):
            name, _, encoded = entry.partition(":")
            key = _decode(encoded)
            if not _KEY_ID(name) or name in self._ciphers or len(key) != _KEY_BYTES:
                wrong = f"entry {number} of BAND_TOKEN_KEYS is not an id of its own, a colon and 32 bytes in base64"
                raise UsageError(wrong, hint=f"make one with: {HOW}", code="E002")
            self._ciphers[name] = AESGCM(key)
        if not self._ciphers:
            raise UsageError("BAND_TOKEN_KEYS is not set", hint=f"make a key with: {HOW}", code="E010")
        self._newest = next(iter(self._ciphers))

    def seal(self, secret: str, place: str) -> str:
        """`secret` encrypted; it opens only for the same `place`, so that one cannot be put where another belongs."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self._newest].encrypt(nonce, secret.encode(), place.encode())
        return f"{self._newest}.{base64.b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, place: str) -> str:
        """What `seal` was given; `VaultError` when it cannot be known."""
        name, _, encoded = sealed.partition(".")
        cipher = self._ciphers.get(name)
        if cipher is None:
            raise VaultError("a stored secret is sealed with a key that BAND_TOKEN_KEYS does not have")
        data = _decode(encoded)
        try:
            return cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], place.encode()).decode()
        except (InvalidTag, ValueError):
            raise VaultError("a stored secret does not open: it was changed, or belongs elsewhere") from None

    def is_old(self, sealed: str) -> bool:
        """Whether another than the newest key has sealed it."""
        return not sealed.startswith(f"{self._newest}.")


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
