"""Which hosts are this machine, and what is the URL of one."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_web_url(text: str) -> bool:
    """Whether a text is a URL of HTTP with a host, and with a port that can be one if it has a port."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
