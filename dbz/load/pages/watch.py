"""Opening pages again and again while a load runs: a line of `pages.jsonl` for each visit."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from dbz.errors import DbzError
from dbz.load.pages.browser import Browser
from dbz.load.pages.devtools import RefusedError
from dbz.load.pages.reach import Reach
from dbz.load.pages.visit import LONGEST_S, CutShortError, PageToOpen, Visit, Visitor
from dbz.runs.storage.reading import Record
from dbz.runs.storage.record import END, STEADY, LineFile
from dbz.targets.processes import CpuTimes, usable_cpus, with_descendants

_POLL_S = 0.1
_CUT_S = 5.0
"""How long a visit that is not wanted any more may take to notice."""


class PageWatch:
    """Opens pages in a thread, one after the other, in rounds; a context manager that ends it.

    Every page is opened at once, every `every_s` seconds, and as soon as the judged part begins; a round that takes
    longer is followed by the next one.
    """

    def __init__(
        self, browser: Browser, pages: Sequence[PageToOpen], every_s: float, reach: Reach, path: Path, started_s: float
    ) -> None:
        """`started_s` is the start of the run on the monotonic clock."""
        self._browser = browser
        self._pages = pages
        self._every_s = every_s
        self._file = LineFile(path)
        self._started_s = started_s
        self._judged, self._over, self._cut = threading.Event(), threading.Event(), threading.Event()
        self._visitor = Visitor(browser.devtools, reach.allows, self._cut.is_set)
        self._thread = threading.Thread(target=self._run, name="pages", daemon=True)

    def __enter__(self) -> PageWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._cut.set()
        self._thread.join(_CUT_S)
        self._file.close()

    def update(self, record: Record) -> None:
        """Follow the run: a round begins with its judged part, and none after it."""
        if STEADY in record.marks:
            self._judged.set()
        if END in record.marks:
            self._over.set()

    def finish(self) -> None:
        """Open no more pages, and wait for the one that was opened during the load, which may take its time."""
        self._over.set()
        self._thread.join(LONGEST_S)

    def _run(self) -> None:
        with contextlib.suppress(CutShortError):
            try:
                self._rounds()
            except (DbzError, OSError, RefusedError) as error:
                if not self._cut.is_set():
                    self._write({"t": self._now_s, "trouble": str(error)})

    def _rounds(self) -> None:
        judged = False
        while not self._over.is_set():
            began_s = time.monotonic()
            for page in self._pages:
                if self._over.is_set():
                    return
                self._visit(page)
                if self._judged.is_set() and not judged:
                    break  # what is judged begins with a round of its own
            else:
                self._rest(began_s + self._every_s, judged=judged)
            judged = judged or self._judged.is_set()

    def _rest(self, until_s: float, *, judged: bool) -> None:
        while time.monotonic() < until_s and not self._over.is_set():
            if self._judged.is_set() and not judged:
                return
            time.sleep(_POLL_S)

    def _visit(self, page: PageToOpen) -> None:
        began_s, before = self._now_s, self._cpu()
        visit = self._visitor.visit(page)
        after = self._cpu()
        passed_s = (after.at_s - before.at_s) * len(usable_cpus())
        self._write(
            {
                "t": round(began_s, 3),
                "page": page.name,
                "browser": self._browser.version,
                "cpu_share": round(min(after.used_s_since(before) / passed_s, 1.0), 4) if passed_s else 0.0,
                **_line_of(visit),
            }
        )

    def _cpu(self) -> CpuTimes:
        try:
            return CpuTimes(with_descendants([psutil.Process(self._browser.pid)]))
        except psutil.Error:  # it has ended, which the next command says
            return CpuTimes([])

    @property
    def _now_s(self) -> float:
        return time.monotonic() - self._started_s

    def _write(self, line: dict[str, Any]) -> None:
        with contextlib.suppress(OSError, ValueError):  # a full disk: a page without a visit is said in the end
            self._file.write(line)


def _line_of(visit: Visit) -> dict[str, Any]:
    """A visit as it stands in the record; what the page did not do is left out."""
    traffic = visit.traffic
    figures = {
        "took_ms": visit.took_ms,
        "load_ms": visit.load_ms,
        "load_event_ms": visit.load_event_ms,
        "ttfb_ms": visit.ttfb_ms,
        "fcp_ms": visit.fcp_ms,
        "lcp_ms": visit.lcp_ms,
        "inp_ms": visit.inp_ms,
        "cls": visit.cls,
    }
    return {
        **{key: round(value, 4) for key, value in figures.items() if value is not None},
        "bytes": traffic.bytes,
        "requests": traffic.requests,
        "failed_requests": traffic.failed,
        "script_errors": traffic.script_errors,
        **({"error": visit.error} if visit.error else {}),
        **({"clicked": visit.clicked} if visit.clicked else {}),
        **({"problems": traffic.problems} if traffic.problems else {}),
        **({"blocked": traffic.blocked} if traffic.blocked else {}),
    }
