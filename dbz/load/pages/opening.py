"""The pages of a plan, and the browser that opens them while it is carried out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

from dbz.load.pages.browser import Browser
from dbz.load.pages.reach import pages_to_open, reach_of
from dbz.load.pages.watch import PageWatch
from dbz.load.planning.plan import LoadPlan
from dbz.runs.storage.folder import RunFolder
from dbz.runs.storage.reading import Record

LOG = "browser.log"


class Following(Protocol):
    """What follows a run and ends with it."""

    def update(self, record: Record) -> None:
        """Look at what was written so far."""

    def finish(self) -> None:
        """The run is over; what is under way may end."""


class _Nothing:
    """For loads that open no pages."""

    def update(self, record: Record) -> None:
        """Nothing to follow."""

    def finish(self) -> None:
        """Nothing to wait for."""


@contextmanager
def opened_browser(plan: LoadPlan, folder: RunFolder) -> Iterator[Browser | None]:
    """A browser for the pages of a plan, None when it has none; `DependencyError` when it does not start."""
    if not plan.profile.pages:
        yield None
        return
    pages = pages_to_open(plan.profile.pages, plan.base_url)
    with Browser(reach_of(pages, plan.allowed_targets).hosts, folder.logs / LOG) as browser:
        yield browser


def watched_pages(
    plan: LoadPlan, folder: RunFolder, browser: Browser | None, started_s: float
) -> AbstractContextManager[Following]:
    """What opens the pages of a plan while it is carried out; `started_s` is its start on the monotonic clock."""
    if browser is None:
        return nullcontext(_Nothing())
    profile = plan.profile
    pages = pages_to_open(profile.pages, plan.base_url)
    reach = reach_of(pages, plan.allowed_targets)
    return PageWatch(browser, pages, profile.page_every, reach, folder.pages, started_s)
