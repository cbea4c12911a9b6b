"""Where a request goes: scheme, host and port, and how they are written."""

from __future__ import annotations

from typing import NamedTuple


class Origin(NamedTuple):
    """The server's end of a connection."""

    host: str
    """A name or an address; an IPv6 address without its brackets."""
    port: int
    tls: bool = False

    @property
    def authority(self) -> str:
        """Host and port as `CONNECT` and the Host field of a WebSocket name them: always with the port."""
        return f"{self._bracketed}:{self.port}"

    @property
    def host_field(self) -> str:
        """The value of the Host field of an HTTP request: without the port when it is the scheme's own."""
        return self._bracketed if self.port == (443 if self.tls else 80) else self.authority

    @property
    def url(self) -> str:
        """Scheme, host and port, without a path."""
        return f"{'https' if self.tls else 'http'}://{self.host_field}"

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host
