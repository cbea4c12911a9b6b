"""Networks of virtual users: what stands below `network` and `networks` in a profile, and networks that have a name.

The named ones are those that browsers and page tests throttle to, so that figures can be compared with theirs: Wi-Fi
of Firefox's developer tools (its table "Throttling"), all others of WebPageTest (`connectivity.ini.sample`). The mobile
default of Lighthouse ("slow 4G") is `3g-fast` but for 750 instead of 768 kbit upwards. These sources know neither
jitter nor loss nor outages: who wants some defines a network of their own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field

from dbz.config.source.model import Bandwidth, Duration, Parsed, Percent, Strict
from dbz.suggest import did_you_mean
from dbz.units import format_percent, parse_percent

DIRECT = "direct"
"""The network of this machine, as it is."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,29}")
_SHARE_ERROR = 1e-6


class OutageTerms(Strict):
    """Times in which nothing passes, as in a tunnel or a lift; each user has them at other moments."""

    every: Duration = Field(gt=0, le=86_400)
    """From the end of one to the beginning of the next, in the mean; how long it is each time is exponentially
    distributed."""
    length: Duration = Field(gt=0, le=3600)
    """How long one lasts."""


class NetworkTerms(Strict):
    """What lies between a user and the server, beside what lies there already."""

    latency: Duration = Field(Parsed(0), ge=0, le=60)
    """The shortest round trip of a small packet; half of it each way."""
    jitter: Duration = Field(Parsed(0), ge=0, le=60)
    """By how much a round trip takes longer at most; evenly distributed, half of it each way."""
    down: Bandwidth | None = Field(None, ge=1_000, le=1e12)
    """Bits a second towards the user, all its connections together; without it, no limit."""
    up: Bandwidth | None = Field(None, ge=1_000, le=1e12)
    """The same towards the server."""
    loss: Percent = Field(Parsed(0), ge=0, le=0.5)
    """Segments that are lost, and sent again as TCP does: the user waits for them."""
    outages: OutageTerms | None = None
    """Times in which nothing passes; without it, none."""


def _terms(latency_ms: float, down_mbit: float, up_mbit: float) -> NetworkTerms:
    return NetworkTerms(
        latency=Parsed(latency_ms / 1000), down=Parsed(round(down_mbit * 1e6)), up=Parsed(round(up_mbit * 1e6))
    )


PRESETS: Mapping[str, NetworkTerms] = {
    "wifi": _terms(2, 30, 15),
    "lte": _terms(70, 12, 12),
    "4g": _terms(170, 9, 9),
    "3g-fast": _terms(150, 1.6, 0.768),
    "3g": _terms(300, 1.6, 0.768),
    "3g-slow": _terms(400, 0.4, 0.4),
    "edge": _terms(840, 0.24, 0.2),
}
"""Round trip, down and up of each network with a name."""


def _shares(value: object) -> object:
    """The shares in a text: the name of a network, or `wifi=60%,3g=40%`, as the command line has it."""
    if not isinstance(value, str):
        return value
    if "=" not in value:
        return {value.strip(): Parsed(1.0)}
    found: dict[str, Parsed] = {}
    for part in value.split(","):
        name, equals, share = part.partition("=")
        if not equals:
            raise ValueError(f"'{part.strip()}' has no share; write for example wifi=60%,lte=30%,3g=10%")
        if name.strip() in found:
            raise ValueError(f"'{name.strip()}' stands there twice")
        found[name.strip()] = Parsed(parse_percent(share))
    return found


NetworkShares = Annotated[dict[str, Percent], BeforeValidator(_shares, json_schema_input_type=str | dict[str, Percent])]
"""Which share of the users is on which network: `{wifi: 60%, 3g: 40%}`, or a single name."""


def check_shares(shares: Mapping[str, float], own: Mapping[str, NetworkTerms]) -> None:
    """`ValueError` for a network that nobody knows, or shares that are not those of one whole."""
    known = [*own, *(name for name in (*PRESETS, DIRECT) if name not in own)]
    for name in own:
        if not _NAME.fullmatch(name) or name == DIRECT:
            raise ValueError(f"'{name}' cannot be the name of a network: letters, digits, '.', '_' and '-', at most 30")
    for name in shares:
        if name not in known:
            raise ValueError(f"there is no network '{name}'{did_you_mean(name, known)} (known: {', '.join(known)})")
    if shares and abs(sum(shares.values()) - 1) > _SHARE_ERROR:
        raise ValueError(f"the shares of networks add up to {format_percent(sum(shares.values()))}, not to 100 %")
    if not all(share > 0 for share in shares.values()):
        raise ValueError("a network with a share of 0 % has no users; leave it out")
