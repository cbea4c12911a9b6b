"""How an entry of a phase stands: whether what it names is there. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from dbz.config.phases.plan import Phase


class Standing(StrEnum):
    """Whether what an entry names is there."""

    THERE = "there"
    MISSING = "missing"
    """It was looked for, and is not there or not as the phase wants it."""
    UNKNOWN = "not looked up"


@dataclass(frozen=True)
class Lookup:
    """What became of looking one entry up."""

    standing: Standing
    text: str
    """What was found, or why nothing is known."""


@dataclass(frozen=True)
class EntryKey:
    """One entry of a phase, as the plan writes it."""

    resource: str
    """What it is about: database, load balancer, CDN, queue or search."""
    text: str
    """The entry's words."""


Lookups = Mapping[EntryKey, Lookup]


def there(text: str) -> Lookup:
    """It is there."""
    return Lookup(Standing.THERE, text)


def missing(text: str) -> Lookup:
    """It is not there, or not as it should be."""
    return Lookup(Standing.MISSING, text)


def unknown(text: str) -> Lookup:
    """Nobody can say."""
    return Lookup(Standing.UNKNOWN, text)


def entries_of(phase: Phase) -> list[EntryKey]:
    """The entries of a phase that may be looked up, in the order in which a plan shows them."""
    database = phase.database
    entries = [EntryKey("database", f"{database.service} {database.tier}, {database.topology}")] if database else []
    entries += [EntryKey("load balancer", phase.load_balancer)] if phase.load_balancer else []
    entries += [EntryKey("CDN", phase.cdn)] if phase.cdn else []
    entries += [EntryKey("queue", one) for one in phase.queue]
    return entries + ([EntryKey("search", phase.search)] if phase.search else [])


def kind_and_name(text: str, default: str) -> tuple[str, str]:
    """The kind in an entry of one or two words and the name behind it: `SQS notifications`; else the `default` name."""
    kind, *names = text.split()
    return (kind, names[0]) if len(names) == 1 else (text.strip(), default)
