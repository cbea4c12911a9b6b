"""Calls of the community service Band: its tokens, and its lists page by page. Only here do requests leave for it."""

from dbz.server.band_api.api import BandApi, BandPage
from dbz.server.band_api.errors import (
    BandError,
    BandLinkError,
    BandRefusedError,
    BandThrottledError,
    BandUnauthorizedError,
    BandUnavailableError,
)

__all__ = [
    "BandApi",
    "BandError",
    "BandLinkError",
    "BandPage",
    "BandRefusedError",
    "BandThrottledError",
    "BandUnauthorizedError",
    "BandUnavailableError",
]
