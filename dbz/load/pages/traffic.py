"""What a page asked for and what came of it, from the events of the browser. Pure."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from dbz.masking import masked_url

MOST_PROBLEMS = 5
"""So many different problems of a visit are kept in words."""
_LONGEST = 300
_WORST_STATUS = 400
_STAYS_OPEN = frozenset(("EventSource", "WebSocket", "Ping"))
_ICON = "/favicon.ico"
"""What browsers ask for unasked; that there is none says nothing of a page."""
_WITH_HOST = frozenset(("http", "https", "ws", "wss"))


class Traffic:
    """Requests of one visit: how many, how large, which of them failed, and which were not allowed."""

    def __init__(self, may_reach: Callable[[str], bool] = lambda _host: True) -> None:
        self._may_reach = may_reach
        self._open: dict[str, str] = {}
        self._urls: dict[str, str] = {}
        self._closed = False
        self._frame = ""
        """That of the page itself."""
        self._last_s = time.monotonic()
        self.requests = 0
        self.bytes = 0
        """As they came over the wire, heads included."""
        self.failed = 0
        """Requests without an answer, or with one of 400 or more; those that were not allowed are not among them."""
        self.script_errors = 0
        """Errors that no script of the page caught."""
        self.problems: list[str] = []
        """What failed, in words: the first few different ones."""
        self.blocked: list[str] = []
        """Hosts that the page may not ask, and did."""

    @property
    def refusal(self) -> str:
        """Why the page itself could not be opened, if that was not allowed."""
        return f"leads to {self.blocked[0]}, which is not allowed" if self.blocked else ""

    def quiet_s(self) -> float:
        """For how long nothing has been waited for."""
        return 0.0 if self._open else time.monotonic() - self._last_s

    def close(self) -> None:
        """Take in nothing more: what the end of the visit cuts off has not failed."""
        self._closed = True

    def hear(self, method: str, params: dict[str, Any]) -> None:
        """Take in an event."""
        take = _HEARD.get(method)
        if take and not self._closed:
            take(self, params)

    def _sent(self, params: dict[str, Any]) -> None:
        request, url = params["requestId"], params["request"]["url"]
        parts = urlsplit(url)
        if parts.scheme not in _WITH_HOST or parts.path == _ICON:
            return
        self.requests += 1
        self._frame = self._frame or str(params.get("frameId", ""))
        self._urls[request] = url
        if params.get("type") not in _STAYS_OPEN:
            self._open[request] = url
        self._asked(url)

    def _opened(self, params: dict[str, Any]) -> None:
        self.requests += 1
        self._asked(params["url"])

    def _asked(self, url: str) -> None:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if not self._may_reach(host) and host not in self.blocked:
            self.blocked.append(host)

    def _answered(self, params: dict[str, Any]) -> None:
        response = params["response"]
        if int(response.get("status", 0)) >= _WORST_STATUS and params["requestId"] in self._urls:
            self.failed += 1
            if params.get("type") != "Document" or params.get("frameId") != self._frame:  # a failed visit says that
                self._problem(f"{masked_url(response['url'])}: HTTP {response['status']}")

    def _finished(self, params: dict[str, Any]) -> None:
        if params["requestId"] in self._urls:
            self.bytes += max(int(params.get("encodedDataLength", 0)), 0)
        self._end(params["requestId"])

    def _lost(self, params: dict[str, Any]) -> None:
        url = self._urls.get(params["requestId"], "")
        self._end(params["requestId"])
        if not url or params.get("canceled") or (urlsplit(url).hostname or "") in self.blocked:
            return
        self.failed += 1
        self._problem(f"{masked_url(url)}: {params.get('blockedReason') or params.get('errorText', 'failed')}")

    def _end(self, request: str) -> None:
        self._open.pop(request, None)
        self._last_s = time.monotonic()

    def _raised(self, params: dict[str, Any]) -> None:
        self.script_errors += 1
        details = params.get("exceptionDetails", {})
        text = str(details.get("exception", {}).get("description") or details.get("text", "an error"))
        self._problem(f"script: {text.splitlines()[0] if text else 'an error'}")

    def _problem(self, text: str) -> None:
        text = text[:_LONGEST]
        if text not in self.problems and len(self.problems) < MOST_PROBLEMS:
            self.problems.append(text)


_HEARD: dict[str, Callable[[Traffic, dict[str, Any]], None]] = {
    "Network.requestWillBeSent": Traffic._sent,
    "Network.webSocketCreated": Traffic._opened,
    "Network.responseReceived": Traffic._answered,
    "Network.loadingFinished": Traffic._finished,
    "Network.loadingFailed": Traffic._lost,
    "Runtime.exceptionThrown": Traffic._raised,
}
