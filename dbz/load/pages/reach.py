"""Which pages are opened, and which hosts they may ask: this machine, and those that were named on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from dbz.config.load.pages import NOTHING, PageEntry
from dbz.errors import UsageError
from dbz.hosts import is_loopback
from dbz.load.pages.visit import PageToOpen
from dbz.load.target.allowed_hosts import check_target


@dataclass(frozen=True)
class Reach:
    """The hosts beside this machine that pages may ask."""

    hosts: tuple[str, ...] = ()

    def allows(self, host: str) -> bool:
        """Whether a page may ask a host."""
        return is_loopback(host) or host in self.hosts


def check_page_hosts(entries: Sequence[PageEntry], allowed: Sequence[str]) -> None:
    """`UsageError` for the first page that is on a host which nobody allowed."""
    for entry in entries:
        if not entry.url.startswith("/"):
            check_target(entry.url, allowed)


def pages_to_open(entries: Sequence[PageEntry], base_url: str) -> list[PageToOpen]:
    """The pages with their whole URLs; `UsageError` for a path when there is no website that it could be below."""
    return [
        PageToOpen(
            name=entry.name,
            url=_url(entry, base_url),
            click="" if entry.click == NOTHING else entry.click,
            clicked=entry.click != NOTHING,
        )
        for entry in entries
    ]


def _url(entry: PageEntry, base_url: str) -> str:
    if not entry.url.startswith("/"):
        return entry.url
    if urlsplit(base_url).scheme not in ("http", "https"):
        raise UsageError(
            f"page '{entry.name}' is a path, and the target is no website that it could be below",
            hint="write the whole URL of the page, like http://127.0.0.1:8480/club",
            code="L023",
        )
    return urljoin(f"{base_url.rstrip('/')}/", entry.url.lstrip("/"))


def reach_of(pages: Sequence[PageToOpen], allowed: Sequence[str]) -> Reach:
    """Where these pages may lead: to their own hosts, which were checked, and to those that are allowed."""
    return Reach(tuple(dict.fromkeys([*(urlsplit(page.url).hostname or "" for page in pages), *allowed])))
