"""Secrets of others at rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.errors import UsageError
from dbz.server.auth.vault import Vault, VaultError
from tests.server.band.stage import KEYS

OLD, BOTH, NEW = Vault(KEYS["k1"]), Vault(f"{KEYS['k2']},{KEYS['k1']}"), Vault(KEYS["k2"])


@given(st.text(), st.text(max_size=50))
def test_what_is_sealed_opens_in_its_place_only(secret: str, place: str) -> None:
    """The same secret never looks the same twice, and nowhere is it readable."""
    try:
        secret.encode(), place.encode()
    except UnicodeEncodeError:
        return
    sealed = OLD.seal(secret, place)
    assert OLD.open(sealed, place) == secret and OLD.seal(secret, place) != sealed
    with pytest.raises(VaultError):
        OLD.open(sealed, place + "x")


@given(st.integers(0, 60), st.integers(1, 255))
def test_what_was_changed_does_not_open(at: int, flip: int) -> None:
    """Not one bit of it, and nothing else is raised."""
    sealed = OLD.seal("a secret of somebody", "here").encode()
    at %= len(sealed)
    changed = sealed[:at] + bytes([sealed[at] ^ flip]) + sealed[at + 1 :]
    try:
        opened = OLD.open(changed.decode("latin-1"), "here")
    except VaultError:
        return
    assert opened == "a secret of somebody"  # bits of base64 that mean nothing


def test_keys_are_replaced_one_after_another() -> None:
    """A new key opens what the old one sealed as long as that is there."""
    sealed = OLD.seal("secret", "here")
    assert BOTH.open(sealed, "here") == "secret" and BOTH.is_old(sealed)
    fresh = BOTH.seal("secret", "here")
    assert NEW.open(fresh, "here") == "secret" and not BOTH.is_old(fresh)
    with pytest.raises(VaultError, match="BAND_TOKEN_KEYS does not have"):
        NEW.open(sealed, "here")


@pytest.mark.parametrize("keys", ["", "k1", "k1:hunter2hunter2", f"{KEYS['k1']},{KEYS['k1']}", "ü:" + KEYS["k1"][3:]])
def test_keys_that_are_none_are_refused_and_not_repeated(keys: str) -> None:
    """The message says how to make one."""
    with pytest.raises(UsageError) as raised:
        Vault(keys)
    assert "hunter2" not in raised.value.message + raised.value.hint and "urandom(32)" in raised.value.hint
