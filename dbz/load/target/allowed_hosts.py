"""Where a load may go: this machine, or hosts that were named on purpose."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from dbz.errors import DependencyError, UsageError
from dbz.hosts import is_loopback
from dbz.masking import masked_url, reason_of

_LOG = logging.getLogger(__name__)

REACH_DEADLINE_S = 5.0


def check_target(url: str, allowed: Sequence[str]) -> str:
    """The base URL of a target that may be loaded; `UsageError` when it is malformed or not allowed."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(
            f"target '{masked_url(url)}' is not a URL: {reason_of(error)}",
            hint="write for example http://127.0.0.1:8480",
            code="L001",
        ) from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise UsageError(
            f"target '{masked_url(url)}' is not an http:// or https:// URL",
            hint="for example http://127.0.0.1:8480",
            code="L001",
        )
    check_allowed(parts.hostname, allowed)
    return url.rstrip("/")


def check_host(host: str, allowed: Sequence[str]) -> str:
    """The base URL of a host that a user class names; `UsageError` when it may not be loaded.

    Users with a client of their own name hosts without a scheme (`localhost:50051`): these become `tcp://` URLs.
    """
    parts = urlsplit(host if "://" in host else f"tcp://{host}")
    if parts.scheme in ("http", "https"):
        return check_target(host, allowed)
    try:
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        named = False
    if not named:
        raise UsageError(f"host '{masked_url(host)}' is neither a URL nor a host with a port", code="L001")
    check_allowed(parts.hostname or "", allowed)
    return parts.geturl().rstrip("/")


def check_allowed(host: str, allowed: Sequence[str]) -> None:
    """`UsageError` unless a host is this machine, or named on purpose."""
    if not is_loopback(host) and host not in allowed:
        raise UsageError(
            f"target '{host}' is not on this machine, and nobody allowed a load on it",
            hint=f"if it is yours to load: --allow-target {host}, or allowed_targets in the profile",
            code="L002",
        )
    _LOG.info("%s may be loaded: it is %s", host, "this machine" if is_loopback(host) else "an allowed target")


def reach(url: str, deadline_s: float = REACH_DEADLINE_S) -> None:
    """Connect once; `DependencyError` within `deadline_s` seconds saying what was tried when nobody answers."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    _LOG.info("looking whether %s port %d accepts connections", host, port)
    began_s = time.monotonic()
    try:
        socket.create_connection((host, port), deadline_s - 0.5).close()
    except (OSError, UnicodeError) as error:
        took_s = time.monotonic() - began_s
        reason = "no answer" if isinstance(error, TimeoutError) else (getattr(error, "strerror", "") or str(error))
        raise DependencyError(
            f"cannot reach the target {masked_url(url)}: {reason} (tried TCP to {host} port {port} for {took_s:.1f} s)",
            hint="is it running? Without --target, dbz load starts a server of its own",
            code="L003",
        ) from error
