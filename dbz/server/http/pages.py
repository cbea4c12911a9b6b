"""Pagination: what may be asked for, and the block that goes with every list."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from dbz.server.http.models import Fields

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
MAX_PAGE = 100_000


class Page(Fields):
    """`page` from 1, `limit` from 1 to 100."""

    page: int = Field(default=1, ge=1, le=MAX_PAGE)
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)

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
