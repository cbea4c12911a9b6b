"""What samples of one series are told apart by: the network of the user who made them, the service that answered."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote, unquote

NETWORK, SERVICE_LABEL = "network", "service"
"""What budgets call them."""


class Tags(NamedTuple):
    """Equal to a plain tuple of the same texts."""

    network: str = ""
    """That of the user, in a load with several; empty otherwise."""
    service: str = ""
    """The one that answered, where its answers say so; empty otherwise."""

    def __str__(self) -> str:
        """As the tag of an interval log has them, `network=3g&service=game`: no comma, space, colon or line break."""
        pairs = zip(self._fields, self, strict=True)
        return "&".join(
            f"{label}={quote(value, safe='', errors='backslashreplace')}" for label, value in pairs if value
        )


NO_TAGS = Tags()
MOST_SERVICES = 50
"""So many services are told apart; what names an id of its own in each answer would fill memory and disk."""
OTHER_SERVICES = "(other)"
"""What the rest are called together."""


def read_tags(text: str) -> Tags:
    """What `str` of tags gave; `ValueError` for labels that are none. A name alone is a network: so wrote dbz once."""
    found: dict[str, str] = {}
    for part in text.split("&") if text else ():
        label, equals, value = part.partition("=")
        found[label if equals else NETWORK] = unquote(value if equals else label)
    if unknown := found.keys() - set(Tags._fields):
        raise ValueError(f"'{min(unknown)}' is no label of samples")
    return Tags(**found)


def values_of(label: str, every: Iterable[Tags]) -> list[str]:
    """The values that a label has among some tags, in order."""
    return sorted({value for tags in every if (value := getattr(tags, label))})
