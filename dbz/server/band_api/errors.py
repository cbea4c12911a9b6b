"""What can go wrong with Band, in words that hold no token, no URL and nothing that Band has sent."""

from __future__ import annotations


class BandError(Exception):
    """Base of them; its text may be shown and stored."""


class BandUnavailableError(BandError):
    """Band does not answer, or answers nonsense: later it may work."""


class BandThrottledError(BandError):
    """Too many calls: Band wants to be left alone for a while."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"Band asks to be left alone for {retry_after_s:g} s")
        self.retry_after_s = retry_after_s


class BandUnauthorizedError(BandError):
    """Band does not take the access token."""


class BandRefusedError(BandError):
    """Band understood, and will not do it: asking again is of no use."""


class BandLinkError(BandError):
    """The user has no link with Band, or one that Band has ended."""
