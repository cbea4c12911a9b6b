"""One visit of a page with cold caches: opened, waited for, clicked, and what all of that took."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from dbz.load.pages.devtools import DevTools, Event, RefusedError
from dbz.load.pages.traffic import Traffic

DEADLINE_S = 30.0
"""A page that is not loaded by then has failed."""
_QUIET_S = 0.5
"""A page has settled when it has not been waiting for an answer for so long."""
_SETTLING_S = 5.0
"""So long after its load event a page is waited for at most, for what its scripts load and paint."""
_REACTION_S = 3.0
_FRAMES = 3
_PAINTED = "window.dbzVitals && window.dbzVitals.painted()"
LONGEST_S = DEADLINE_S + _SETTLING_S + _REACTION_S
"""What a whole visit takes at most."""
_WORST_STATUS = 400


@dataclass(frozen=True)
class PageToOpen:
    """A page as it is asked for: what it is called, where it is, and what is clicked in it."""

    name: str
    url: str
    click: str = ""
    """A CSS selector; empty for the first visible button."""
    clicked: bool = True
    """Whether anything is clicked at all."""


@dataclass
class Visit:
    """What became of a visit. Times are milliseconds since it began, None where the page did no such thing."""

    error: str = ""
    """Why the page was not loaded; empty when it was."""
    took_ms: float = 0.0
    """Until it was loaded, or had failed."""
    load_ms: float | None = None
    """Until it was loaded and its largest content was painted, by the browser's clock."""
    load_event_ms: float | None = None
    ttfb_ms: float | None = None
    fcp_ms: float | None = None
    lcp_ms: float | None = None
    inp_ms: float | None = None
    """Until the next frame after the click was painted."""
    cls: float | None = None
    clicked: str = ""
    """What the thing that was clicked is called."""
    traffic: Traffic = field(default_factory=Traffic)


class CutShortError(Exception):
    """The visit was not allowed to end."""


class Visitor:
    """Opens pages one after the other, each in a fresh context of the browser, without caches, cookies, connections."""

    def __init__(self, devtools: DevTools, may_reach: Callable[[str], bool], cancelled: Callable[[], bool]) -> None:
        """`may_reach` says of a host whether pages may ask it; `cancelled` is asked while waiting."""
        self._devtools = devtools
        self._may_reach = may_reach
        self._cancelled = cancelled
        self._script = files("dbz.load.pages").joinpath("vitals.js").read_text(encoding="utf-8")

    def visit(self, page: PageToOpen) -> Visit:
        """Open a page; `CutShortError` when that was cancelled, `BrowserLostError` when the browser is gone."""
        self._devtools.cancelled = self._cancelled
        context = ""
        try:
            context = self._devtools.call("Target.createBrowserContext")["browserContextId"]
            return self._in_context(page, context)
        except TimeoutError:
            if self._cancelled():
                raise CutShortError from None
            return Visit(error="the browser did not answer")
        finally:
            self._devtools.cancelled = lambda: False
            self._devtools.listener = lambda _event: None
            if context:
                with contextlib.suppress(RefusedError, TimeoutError):
                    self._devtools.call("Target.disposeBrowserContext", {"browserContextId": context})

    def _in_context(self, page: PageToOpen, context: str) -> Visit:
        blank = {"url": "about:blank", "browserContextId": context}
        target = self._devtools.call("Target.createTarget", blank)["targetId"]
        attach = {"targetId": target, "flatten": True}
        tab = _Tab(self._devtools, self._devtools.call("Target.attachToTarget", attach)["sessionId"], self._may_reach)
        tab.prepare(self._script)
        began_s = time.monotonic()
        visit = Visit(error=tab.load(page.url, began_s + DEADLINE_S), traffic=tab.traffic)
        visit.took_ms = (time.monotonic() - began_s) * 1000
        if self._cancelled():
            raise CutShortError
        figures = tab.figures() if not tab.crashed else {}
        status = int(figures.pop("status", 0) or 0)
        if not visit.error and status >= _WORST_STATUS:
            visit.error = f"HTTP {status}"
        for name, value in figures.items():
            setattr(visit, name, value)
        if not visit.error:
            visit.load_ms = max(visit.load_event_ms or visit.took_ms, visit.lcp_ms or 0.0)
            if page.clicked:
                visit.clicked = tab.click(page.click)
                after = tab.figures()
                visit.inp_ms, visit.cls = after.get("inp_ms"), after.get("cls")
        tab.traffic.close()
        return visit


class _Tab:
    """One page of the browser, and what is heard of it."""

    def __init__(self, devtools: DevTools, session: str, may_reach: Callable[[str], bool]) -> None:
        self._devtools = devtools
        self._session = session
        self._loaded = False
        self.crashed = False
        self.traffic = Traffic(may_reach)
        devtools.listener = self._hear

    def _hear(self, event: Event) -> None:
        if event.get("sessionId") != self._session:
            return
        method = event["method"]
        self._loaded |= method == "Page.loadEventFired"
        self.crashed |= method == "Inspector.targetCrashed"
        self.traffic.hear(method, event.get("params", {}))

    def _call(self, method: str, **params: Any) -> Event:
        return self._devtools.call(method, params, self._session)

    def prepare(self, script: str) -> None:
        """Listen to what the page does, from its very beginning."""
        for domain in ("Page", "Network", "Runtime", "Inspector"):
            self._call(f"{domain}.enable")
        self._call("Page.addScriptToEvaluateOnNewDocument", source=script)

    def load(self, url: str, deadline_s: float) -> str:
        """Go to a page and wait until it is loaded and has settled; why it was not, or nothing."""
        self._loaded = False
        try:
            answer = self._devtools.call(
                "Page.navigate", {"url": url}, self._session, timeout_s=deadline_s - time.monotonic()
            )
        except TimeoutError:
            return f"no answer within {DEADLINE_S:g} s"
        if answer.get("errorText"):
            return self.traffic.refusal or str(answer["errorText"])
        if not self._devtools.wait(lambda: self._loaded or self.crashed, deadline_s):
            return f"not loaded within {DEADLINE_S:g} s"
        if self.crashed:
            return "the page crashed"
        settled_s = min(time.monotonic() + _SETTLING_S, deadline_s)
        while time.monotonic() < settled_s and not self.crashed:
            self._devtools.wait(lambda: self.crashed, min(time.monotonic() + _QUIET_S / 5, settled_s))
            if self.traffic.quiet_s() >= _QUIET_S:
                break
        return "the page crashed" if self.crashed else ""

    def figures(self) -> dict[str, Any]:
        """What the script in the page has seen; empty when the page has none."""
        found = self._evaluate("window.dbzVitals ? window.dbzVitals.figures() : null")
        return found if isinstance(found, dict) else {}

    def click(self, selector: str) -> str:
        """A real click, and the wait for what it brings about; the name of what was hit, or nothing."""
        place = self._evaluate(f"window.dbzVitals ? window.dbzVitals.place({json.dumps(selector)}) : null")
        if not isinstance(place, dict):
            return ""
        at = {"x": place["x"], "y": place["y"]}
        with contextlib.suppress(RefusedError, TimeoutError):
            self._call("Input.dispatchMouseEvent", type="mouseMoved", **at)
            for kind in ("mousePressed", "mouseReleased"):
                self._call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **at)
        until_s = time.monotonic() + _REACTION_S
        for _ in range(_FRAMES):  # the press is told before the release, and that before the click
            self._evaluate(_PAINTED)
        while time.monotonic() < until_s and self.figures().get("inp_ms") is None and not self.crashed:
            self._evaluate(_PAINTED)
        return str(place["name"]) or "something without a name"

    def _evaluate(self, expression: str) -> Any:
        try:
            answer = self._call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        except RefusedError:  # the page went elsewhere meanwhile
            return None
        return answer.get("result", {}).get("value")
