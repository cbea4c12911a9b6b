"""What the client of one virtual user is told once for all its requests."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dbz.load.generator.http.answer.decoding import accepted_codings
from dbz.load.generator.http.cookies import CookieJar
from dbz.load.generator.http.options import for_all_requests, of_connections
from dbz.load.generator.http.pool import Pool, Waits
from dbz.load.generator.http.request.fields import HeaderFields
from dbz.load.generator.http.request.urls import credentials_of, full_url, split_url
from dbz.load.generator.http.response import MAX_BODY_BYTES

CONNECT_TIMEOUT_S = 5.0


class ClientSettings:
    """A base URL, header fields, cookies, and the options of all requests; all of it may be changed at any time."""

    auth = for_all_requests("auth")
    params = for_all_requests("params", dict)
    cert = for_all_requests("cert")
    proxies = for_all_requests("proxies", dict)
    hooks = for_all_requests("hooks", lambda: {"response": []})
    stream = for_all_requests("stream")
    conditional = for_all_requests("conditional")
    verify = of_connections("verify", True)
    tls_context = of_connections("tls_context", None)
    proxy = of_connections("proxy", None)
    trust_env = of_connections("trust_env", True)

    def __init__(self, base_url: str, timeout_s: float) -> None:
        self._home: Pool | None = None
        """The connections to the base URL; None before the first request to it, and after a change of the way."""
        self.timeout_s = timeout_s
        self.waits = Waits(CONNECT_TIMEOUT_S)
        self.max_body_bytes = MAX_BODY_BYTES
        self.max_redirects = 10
        self.redirect_hosts: set[str] = set()
        self.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        self.request_name: str | None = None
        self.detects_graphql = True
        self._options: dict[str, Any] = {}
        self._special = False
        """Whether any of the options is set."""
        self.headers = {"Accept": "*/*", "Accept-Encoding": accepted_codings(), "User-Agent": "dbz"}
        self._credentials = ""
        self.base_url = base_url
        self._cookies = CookieJar(self._origin)

    @property
    def base_url(self) -> str:
        """What the paths of requests are below; may be changed at any time, and `BadUrl` says that it is none."""
        return self._base_url

    @base_url.setter
    def base_url(self, url: str) -> None:
        self._origin, self._prefix = split_url(url.rstrip("/"))
        self._base_url = url.rstrip("/")
        self._host = self._origin.host_field
        self._root = full_url(self._origin, self._prefix)
        self._home = None
        if self._credentials and self.headers.get("Authorization") == self._credentials:
            del self.headers["Authorization"]
        self._credentials = credentials_of(self._base_url)
        if self._credentials:
            self.headers["Authorization"] = self._credentials

    @property
    def headers(self) -> dict[str, str]:
        """The header fields of every request; may be changed at any time."""
        return self._headers

    @headers.setter
    def headers(self, fields: Mapping[str, str]) -> None:
        self._headers = HeaderFields(fields)

    @property
    def cookies(self) -> CookieJar:
        """The cookies of this user; a mapping that is put here becomes a jar for the host of the base URL."""
        return self._cookies

    @cookies.setter
    def cookies(self, cookies: CookieJar | Mapping[str, str]) -> None:
        if not isinstance(cookies, CookieJar):
            pairs, cookies = cookies, CookieJar(self._origin)
            cookies.update(pairs)
        self._cookies = cookies

    @contextmanager
    def rename_request(self, name: str) -> Iterator[None]:
        """Group the requests of a `with` block under a name, as Locust's client does."""
        self.request_name = name
        try:
            yield
        finally:
            self.request_name = None
