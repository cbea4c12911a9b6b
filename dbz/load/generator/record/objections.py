"""What answers of a good status say against themselves, and what kind of content they have: counted by operation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from dbz.load.generator.http.response import Response
from dbz.measure.latency.series import ACK, HTTP
from dbz.protocols.objections import (
    CONTENTS,
    asks_for_password,
    content_of,
    error_in,
    is_login,
    may_lead_to_login,
    objection_in,
)

_MOST_TEXTS = 200
_OTHER_TEXTS = "(more kinds than can be kept apart)"


class Objections:
    """Those of one worker since they were last taken."""

    def __init__(self) -> None:
        self._texts: Counter[tuple[str, str, str]] = Counter()
        self._known: set[tuple[str, str, str]] = set()
        self._contents: dict[str, Counter[str]] = {}

    def add(self, kind: str, name: str, text: str, times: int = 1) -> None:
        """So many answers said this against themselves."""
        group = kind, name, text
        if group not in self._known:
            if len(self._known) >= _MOST_TEXTS:
                group = kind, name, _OTHER_TEXTS
            else:
                self._known.add(group)
        self._texts[group] += times

    def add_content(self, operation: str, content: str, times: int = 1) -> None:
        """So many answers had a kind of content."""
        contents = self._contents.get(operation)
        if contents is None:
            contents = self._contents[operation] = Counter()
        contents[content] += times

    def take(self, written: Callable[[str], str]) -> dict[str, Any]:
        """What goes into the line of the record; `written` makes texts fit to be written down."""
        texts, self._texts = self._texts, Counter()
        contents, self._contents = self._contents, {}
        line: dict[str, Any] = {
            "objections": [[kind, written(name), written(text), n] for (kind, name, text), n in texts.items()]
        }
        if contents:
            line["contents"] = {written(name): [of[one] for one in CONTENTS] for name, of in contents.items()}
        return line

    def look_at(self, response: Response, operation: str) -> None:
        """Look at an answer to a request that the scenario has not judged itself."""
        unread = response.stream is not None or response.method == "HEAD"
        if response.judged or unread or not 200 <= response.status_code < 300:
            return
        first = response.history[0] if response.history else response
        reached = response.url if response.history else ""
        self._look(operation, response.body, response.head.content_type, first.method, first.path, reached)

    def look_at_foreign(self, response: Any, method: str, operation: str) -> None:
        """The same for the answer to a Locust client, or to anything like it; others are passed over.

        A body that was not read is left unread.
        """
        body = getattr(response, "_content", None)  # of requests
        if not isinstance(body, bytes):
            body = getattr(response, "_cached_content", None)  # of Locust's fast client
        judged = getattr(response, "_manual_result", None) is True
        if not isinstance(body, bytes) or judged or method == "HEAD" or not 200 <= response.status_code < 300:
            return
        history = list(getattr(response, "history", None) or ())
        asked = str(getattr((history or [response])[0], "url", "") or "")
        reached = str(response.url or "") if history else ""
        self._look(operation, body, response.headers.get("content-type") or "", method, asked, reached)

    def look_at_ack(self, event: str, arguments: Iterable[Any]) -> None:
        """Look at an acknowledgement."""
        for argument in arguments:
            if text := error_in(argument):
                self.add(ACK, event, text)
                return

    def _look(self, operation: str, body: bytes, content_type: str, method: str, asked: str, reached: str) -> None:
        """`asked` is the path or URL of the first request, `reached` the URL to which it was led, if to another."""
        self.add_content(operation, content_of(len(body), content_type))
        asked_for_login = may_lead_to_login(asked) if reached or body[:1] == b"<" else False
        text = objection_in(body, content_type, asked_for_login=asked_for_login)
        if reached:
            path, before = urlsplit(reached).path, urlsplit(asked).path
            refused = method == "POST" and path == before
            if is_login(reached):
                text = f"a redirect to {path}" if refused or not asked_for_login else text
            elif not (text or asked_for_login or path.rstrip("/") == before.rstrip("/")) and asks_for_password(body):
                text = f"a redirect to {path}, which asks for a password"
        if text:
            self.add(HTTP, operation, text)
