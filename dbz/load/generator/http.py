"""A thin HTTP/1.1 client for Locust users, with the calls that Locust's own clients have.

    with self.client.get("/api/posts", name="/api/posts", catch_response=True) as response:
        if not response.json()["posts"]:
            response.failure("no posts")

A status of 400 or more, and a request without a complete answer, are failures unless the caller judges otherwise.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson

from dbz.load.generator.response import MAX_BODY_BYTES, Response, ResponseReader
from dbz.load.generator.wire import Connection, ConnectionLost, Origin, TransportError, connect

CONNECT_TIMEOUT_S = 5.0
TIMEOUT_S = 30.0
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})

Record = Callable[["Response", str, float], None]
"""Takes a finished response, its operation and its duration in seconds."""


class HttpClient:
    """The HTTP side of one virtual user: a base URL, default headers and a pool of kept-alive connections.

    `record` is called once for each request, when its outcome is known. `timeout_s` covers a whole request.
    """

    def __init__(self, base_url: str, record: Record, *, timeout_s: float = TIMEOUT_S) -> None:
        self.base_url = base_url.rstrip("/")
        self.headers: dict[str, str] = {"Accept": "*/*", "Accept-Encoding": "gzip", "User-Agent": "dbz"}
        self.timeout_s = timeout_s
        self.max_body_bytes = MAX_BODY_BYTES
        self.tls_context: ssl.SSLContext | None = None
        self._record = record
        self._origin, self._prefix = split_url(self.base_url)
        self._idle: dict[Origin, list[tuple[Connection, ResponseReader]]] = {}
        self._host = _host_header(self._origin)

    def get(self, path: str, **options: Any) -> Response:
        """Send a GET request; options as for `request`."""
        return self.request("GET", path, **options)

    def head(self, path: str, **options: Any) -> Response:
        """Send a HEAD request; options as for `request`."""
        return self.request("HEAD", path, **options)

    def post(self, path: str, data: Any = None, json: Any = None, **options: Any) -> Response:
        """Send a POST request; options as for `request`."""
        return self.request("POST", path, data=data, json=json, **options)

    def put(self, path: str, data: Any = None, **options: Any) -> Response:
        """Send a PUT request; options as for `request`."""
        return self.request("PUT", path, data=data, **options)

    def patch(self, path: str, data: Any = None, **options: Any) -> Response:
        """Send a PATCH request; options as for `request`."""
        return self.request("PATCH", path, data=data, **options)

    def delete(self, path: str, **options: Any) -> Response:
        """Send a DELETE request; options as for `request`."""
        return self.request("DELETE", path, **options)

    def request(
        self,
        method: str,
        path: str,
        *,
        name: str | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        data: Any = None,
        catch_response: bool = False,
        timeout: float | None = None,
    ) -> Response:
        """Send a request and read the whole answer; transport failures are in the response, never raised.

        `path` is relative to the base URL, or a whole URL. `name` groups requests in reports (default: the path
        without its query). `json` is sent as JSON, a mapping as `data` as a form. With `catch_response` nothing is
        recorded until the `with` block that judges the response has ended.
        """
        if params:
            path += ("&" if "?" in path else "?") + urlencode(params, doseq=True)
        body, content_type = _body(json, data)
        response = Response(method, path, f"{method} {name or _bare(path)}", self._record)
        started_s = time.monotonic()
        try:
            origin, target = self._locate(path)
            head = self._head(method, origin, target, headers, body, content_type)
            self._exchange(response, origin, head + body, started_s + (timeout or self.timeout_s))
        except TransportError as error:
            response.error = str(error)
        response.elapsed_s = time.monotonic() - started_s
        if not catch_response:
            response.finish()
        return response

    def close(self) -> None:
        """Close all connections."""
        for pool in self._idle.values():
            for connection, _ in pool:
                connection.close()
        self._idle.clear()

    def _exchange(self, response: Response, origin: Origin, message: bytes, deadline_s: float) -> None:
        """Send and read; once more on another connection when a kept-alive one turns out to be closed."""
        pool = self._idle.setdefault(origin, [])
        while True:
            kept = _take(pool, response.method)
            connection, reader = kept or self._open(origin)
            connection.deadline_s = deadline_s
            try:
                connection.send(message)
                keep = reader.read(connection, response)
            except BaseException as error:
                connection.close()
                lost = isinstance(error, ConnectionLost) and not reader.started
                if kept and lost and response.method in _IDEMPOTENT:
                    continue
                raise
            if keep:
                pool.append((connection, reader))
            else:
                connection.close()
            return

    def _open(self, origin: Origin) -> tuple[Connection, ResponseReader]:
        connection = connect(origin, min(CONNECT_TIMEOUT_S, self.timeout_s), self.tls_context)
        return connection, ResponseReader(self.max_body_bytes)

    def _locate(self, path: str) -> tuple[Origin, str]:
        if path.startswith("/"):
            return self._origin, self._prefix + path
        return split_url(path) if "://" in path else (self._origin, f"{self._prefix}/{path}")

    def _head(
        self,
        method: str,
        origin: Origin,
        target: str,
        headers: Mapping[str, str] | None,
        body: bytes,
        content_type: str,
    ) -> bytes:
        fields = {**self.headers, **headers} if headers else self.headers
        lines = [
            f"{method} {target} HTTP/1.1\r\nHost: {self._host if origin is self._origin else _host_header(origin)}"
        ]
        lines += [f"{key}: {value}" for key, value in fields.items()]
        if content_type and "Content-Type" not in fields:
            lines.append(f"Content-Type: {content_type}")
        if body or method in ("POST", "PUT", "PATCH"):
            lines.append(f"Content-Length: {len(body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def split_url(url: str) -> tuple[Origin, str]:
    """The origin and the request target of an absolute URL."""
    parts = urlsplit(url)
    tls = parts.scheme in ("https", "wss")
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    return Origin(parts.hostname or "", parts.port or (443 if tls else 80), tls), target


def _take(pool: list[tuple[Connection, ResponseReader]], method: str) -> tuple[Connection, ResponseReader] | None:
    """A kept-alive connection; one for a request that must not be repeated is checked to be open still."""
    while pool:
        kept = pool.pop()
        if method in _IDEMPOTENT or not kept[0].stale():
            return kept
        kept[0].close()
    return None


def _host_header(origin: Origin) -> str:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    return host if origin.port == (443 if origin.tls else 80) else f"{host}:{origin.port}"


def _bare(path: str) -> str:
    return path.partition("?")[0]


def _body(json: Any, data: Any) -> tuple[bytes, str]:
    if json is not None:
        return orjson.dumps(json), "application/json"
    if data is None:
        return b"", ""
    if isinstance(data, bytes):
        return data, ""
    if isinstance(data, str):
        return data.encode(), ""
    return urlencode(data, doseq=True).encode(), "application/x-www-form-urlencoded"
