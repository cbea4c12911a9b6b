"""What a phone's HTTP cache remembers: validator and body of each URL, so that the server may answer 304."""

from __future__ import annotations

from dataclasses import dataclass

from dbz.load.generator.http.answer.head import Head
from dbz.load.generator.http.response import Response

_MOST_URLS = 64
_MOST_BYTES = 2_000_000


@dataclass(frozen=True, slots=True)
class Remembered:
    """A 200 answer that can be asked for again conditionally."""

    etag: str
    """Its ETag; empty when it has none."""
    modified: str
    """Its Last-Modified; empty when it has none."""
    head: Head
    content: bytes


class Memory:
    """Remembered answers by URL; the ones used longest ago are forgotten first."""

    def __init__(self) -> None:
        self._answers: dict[str, Remembered] = {}
        self._bytes = 0

    def questions(self, url: str) -> dict[str, str]:
        """The header fields that make a GET of `url` conditional; none when nothing is remembered."""
        answer = self._answers.get(url)
        if answer is None:
            return {}
        return {"If-None-Match": answer.etag} if answer.etag else {"If-Modified-Since": answer.modified}

    def complete(self, url: str, response: Response) -> None:
        """Remember a 200; give a 304 the body, and the header fields it left out, of the answer it confirms."""
        if response.status_code == 304:
            answer = self._answers.pop(url, None)
            if answer is not None:
                self._answers[url] = answer
                response.body = answer.content
                response.head = _merged(response.head, answer.head)
            return
        self._forget(url)
        if response.status_code == 200 and "no-store" not in response.headers.get("cache-control", ""):
            self._keep(url, response)

    def _keep(self, url: str, response: Response) -> None:
        etag, modified = response.headers.get("etag", ""), response.headers.get("last-modified", "")
        if not (etag or modified) or len(response.content) > _MOST_BYTES:
            return
        self._answers[url] = Remembered(etag, modified, response.head, response.content)
        self._bytes += len(response.content)
        while len(self._answers) > _MOST_URLS or self._bytes > _MOST_BYTES:
            self._forget(next(iter(self._answers)))

    def _forget(self, url: str) -> None:
        answer = self._answers.pop(url, None)
        if answer is not None:
            self._bytes -= len(answer.content)


def _merged(newer: Head, older: Head) -> Head:
    names = {name.lower() for name, _ in newer.fields}
    return Head(newer.status, [*newer.fields, *(field for field in older.fields if field[0].lower() not in names)])
