"""Pages that a real browser opens while a load runs: what stands below `pages` in a profile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from dbz.config.load.metrics import Place
from dbz.config.source.model import Strict
from dbz.masking import masked_name

NOTHING = "none"
"""As `click`: nothing is clicked."""
MOST_PAGES = 20


class PageEntry(Strict):
    """A page that a browser opens again and again while the load runs."""

    url: Place
    """A path below the target, or a URL."""
    click: str = Field("", max_length=500)
    """The CSS selector of what is clicked once the page is loaded, to see how soon it reacts; `none` for nothing.
    Without it, the first visible button that submits no form."""

    @property
    def name(self) -> str:
        """What the page is called in reports and budgets."""
        return masked_name(self.url).replace('"', "%22")


def _as_entry(value: object) -> object:
    return {"url": value} if isinstance(value, str) else value


Page = Annotated[PageEntry, BeforeValidator(_as_entry, json_schema_input_type=str | PageEntry)]
"""An entry, or only its URL."""


def check_pages(pages: Sequence[PageEntry]) -> None:
    """`ValueError` when two pages have one name."""
    names = [page.name for page in pages]
    twice = next((name for name in names if names.count(name) > 1), "")
    if twice:
        raise ValueError(f"page '{twice}' is there twice; each page is opened again and again anyway")


def plain_pages(pages: Sequence[PageEntry]) -> list[dict[str, Any]]:
    """The pages as the plain data of `run.json`: without what may be secret in their URLs."""
    return [{**page.model_dump(), "url": page.name} for page in pages]
