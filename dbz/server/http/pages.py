"""Pagination: what may be asked for, and the block that goes with every list."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from dbz.server.http.models import Fields

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
MAX_PAGE = 100_000


def _within(lowest: int, highest: int) -> AfterValidator:
    return AfterValidator(lambda value: min(max(value, lowest), highest))


Limit = Annotated[int, _within(1, MAX_LIMIT)]
"""How many rows are asked for. Too many, or none, is no mistake: the client gets the nearest number that there is."""


class Page(Fields):
    """`page` from 1, `limit` from 1 to 100; what lies outside is taken for the nearest."""

    page: Annotated[int, _within(1, MAX_PAGE)] = Field(default=1, le=MAX_PAGE)
    limit: Limit = DEFAULT_LIMIT

    @property
    def skip(self) -> int:
        """Rows before this page."""
        return (self.page - 1) * self.limit


def page_block(page: Page, total: int) -> dict[str, Any]:
    """The pagination block of a list with `total` rows."""
    total_pages = -(-total // page.limit)
    return {
        "current_page": page.page,
        "total_pages": total_pages,
        "total_count": total,
        "has_more": page.page < total_pages,
    }
