"""Where the time of answered requests goes, and how large the answers are: sums, which merge without loss."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AnswerSums:
    """Sums over the answered HTTP requests of an operation."""

    answers: int
    seconds: float
    """From the start of each request to the end of its answer."""
    body_s: float
    """Of these, from the first byte of the last answer on (a redirect has several) to its end."""
    bytes: int
    """Of bodies as they were sent, still compressed."""
    connections: int
    """How many connections were opened for these requests; all others used kept ones."""
    connect_s: float
    """Of the seconds: looking up names and connecting, through proxies too."""
    tls_s: float
    """Of the seconds: TLS handshakes."""

    @property
    def first_byte_s(self) -> float:
        """Of the seconds: sending the request and waiting for the first byte of its answer."""
        return max(self.seconds - self.connect_s - self.tls_s - self.body_s, 0.0)
