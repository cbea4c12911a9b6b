"""The HTTP client of one virtual user.

    with self.client.get("/api/posts", name="/api/posts", catch_response=True) as response:
        if not response.json()["posts"]:
            response.failure("no posts")

A status of 400 or more, and a request without a complete answer, are failures unless the caller judges otherwise.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Unpack
from urllib.parse import urlencode

from gevent import GreenletExit

from dbz.load.generator.http.cookies import CookieJar
from dbz.load.generator.http.decoding import accepted_codings
from dbz.load.generator.http.fields import HeaderFields, one_line
from dbz.load.generator.http.memory import Memory
from dbz.load.generator.http.options import RequestOptions, RequestTerms
from dbz.load.generator.http.outgoing import ANNOUNCED, REDIRECTS, Outgoing, check_redirect, encode_body
from dbz.load.generator.http.pool import Pool, Waits
from dbz.load.generator.http.response import MAX_BODY_BYTES, Response
from dbz.load.generator.http.urls import clean_target, credentials_of, full_url, resolve, split_url
from dbz.load.generator.http.verbs import Verbs
from dbz.load.generator.net.dial import tls_context
from dbz.load.generator.net.faults import TooManyRedirects, TransportError
from dbz.load.generator.net.origin import Origin
from dbz.load.generator.net.proxies import basic_authorization, proxy_for

CONNECT_TIMEOUT_S = 5.0
TIMEOUT_S = 30.0
UNFINISHED_ERROR = "no answer when the user was stopped"
_BODY_OPTIONS = frozenset({"json", "data"})
_is_plain_path = re.compile(r"/[!\"$-~]*").fullmatch

Record = Callable[["Response", str, float], None]
"""Takes a finished response, its operation and its duration in seconds."""


class HttpClient(Verbs):
    """The HTTP side of one virtual user: a base URL, default headers, cookies and a pool of kept-alive connections.

    `record` is called once for each request, when its outcome is known. `timeout_s` covers a whole request with its
    redirects. `verify` is True, False or the path of a CA bundle; `tls_context` overrules it. `proxy` is a URL, empty
    for none, None for what the environment says. With `conditional` a GET asks whether what it got last time still
    holds, and a 304 gives that body. Redirects leave the host only towards this machine and `redirect_hosts`.
    """

    def __init__(self, base_url: str, record: Record, *, timeout_s: float = TIMEOUT_S) -> None:
        self.base_url = base_url.rstrip("/")
        self.timeout_s = timeout_s
        self.waits = Waits(CONNECT_TIMEOUT_S)
        self.max_body_bytes = MAX_BODY_BYTES
        self.max_redirects = 10
        self.redirect_hosts: set[str] = set()
        self.verify: bool | str = True
        self.tls_context: ssl.SSLContext | None = None
        self.proxy: str | None = None
        self.conditional = False
        self._record = record
        self._origin, self._prefix = split_url(self.base_url)
        self.headers = {"Accept": "*/*", "Accept-Encoding": accepted_codings(), "User-Agent": "dbz"}
        if credentials := credentials_of(self.base_url):
            self.headers["Authorization"] = credentials
        self.cookies = CookieJar(self._origin)
        self._memory: Memory | None = None
        self._host = self._origin.host_field
        self._root = full_url(self._origin, self._prefix)
        self._home: Pool | None = None
        self._pools: dict[tuple[Origin, bool | str], Pool] = {}

    @property
    def headers(self) -> dict[str, str]:
        """The header fields of every request; may be changed at any time."""
        return self._headers

    @headers.setter
    def headers(self, fields: Mapping[str, str]) -> None:
        self._headers = HeaderFields(fields)

    def request(
        self,
        method: str,
        path: str,
        *,
        name: str | None = None,
        catch_response: bool = False,
        **options: Unpack[RequestOptions],
    ) -> Response:
        """Send a request and read the whole answer; transport failures are in the response, never raised.

        `path` is relative to the base URL, or a whole URL. `name` groups requests in reports (default: the path
        without its query). With `catch_response` nothing is recorded until the `with` block that judges the response
        has ended. For the other options see `Options`.
        """
        response = Response(method, path, f"{method} {name or path.partition('?')[0]}", self._record)
        started_s = time.monotonic()
        try:
            if (options and not options.keys() <= _BODY_OPTIONS) or self.conditional or not _is_plain_path(path):
                self._send(response, options, started_s)
            else:
                self._send_plain(response, options, started_s)
        except TransportError as error:
            response.error = str(error)
        except GreenletExit:
            response.error, response.elapsed_s = UNFINISHED_ERROR, time.monotonic() - started_s
            response.finish()
            raise
        response.elapsed_s = time.monotonic() - started_s
        if not catch_response:
            response.finish()
        return response

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            pool.close()

    def _send_plain(self, response: Response, options: RequestOptions, started_s: float) -> None:
        """A request that asks for nothing special: by far the most are."""
        home = self._home
        if home is None:
            home = self._go_home()
        response.root = self._root
        method, fields, after, body = response.method, self._headers, "\r\n", b""
        if options or method in ANNOUNCED:
            body, content_type = encode_body(options.get("json"), options.get("data"))
            after = f"Content-Length: {len(body)}\r\n\r\n"
            if content_type and not fields.has("content-type"):
                after = f"Content-Type: {content_type}\r\n{after}"
        if self.cookies and not fields.has("cookie"):
            cookie = self.cookies.header(self._origin, self._prefix + response.path)
            after = one_line(f"Cookie: {cookie}") + "\r\n" + after if cookie else after
        message = f"{method} {self._before}{response.path}{self._version}{fields.rendered(self._host)}{after}"
        deadline_s = started_s + self.timeout_s
        home.exchange(response, message.encode("latin-1", "replace") + body, deadline_s, self.waits)
        if response.head.sets_cookies or response.status_code in REDIRECTS:
            outgoing = self._outgoing(method, response.path, options)
            self._learn(response, outgoing)
            self._follow(response, outgoing, RequestTerms(deadline_s, self.waits, self.verify))

    def _go_home(self) -> Pool:
        """The pool of the base URL, and what is written around the path of a request to it."""
        home = self._home = self._pool(self._origin, self.verify)
        self._before = home.target(self._prefix)
        proxy_fields = "".join(f"{name}: {value}\r\n" for name, value in home.proxy_fields.items())
        self._version = f" HTTP/1.1\r\n{proxy_fields}"
        return home

    def _send(self, response: Response, options: RequestOptions, started_s: float) -> None:
        outgoing = self._outgoing(response.method, response.path, options)
        verify, conditional = options.get("verify"), options.get("conditional")
        terms = RequestTerms(
            started_s + self.timeout_s,
            self.waits,
            self.verify if verify is None else verify,
            self.conditional if conditional is None else conditional,
            bool(options.get("expect_continue")),
        )
        timeout = options.get("timeout")
        if isinstance(timeout, tuple):
            terms.waits = Waits(*timeout)
        elif timeout is not None:
            terms.deadline_s = started_s + timeout
        self._hop(response, outgoing, terms)
        if options.get("allow_redirects", True):
            self._follow(response, outgoing, terms)

    def _follow(self, response: Response, outgoing: Outgoing, terms: RequestTerms) -> None:
        """Go where redirects lead; what led there is the response's history."""
        while response.status_code in REDIRECTS and "location" in response.headers:
            if len(response.history) >= self.max_redirects:
                raise TooManyRedirects(f"more than {self.max_redirects}")
            origin, target = resolve(full_url(outgoing.origin, outgoing.target), response.headers["location"])
            check_redirect(self._origin, origin, self.redirect_hosts)
            response.history = (*response.history, response.as_it_is())
            outgoing = outgoing.redirected(response.status_code, origin, target)
            self._hop(response, outgoing, terms)

    def _hop(self, response: Response, outgoing: Outgoing, terms: RequestTerms) -> None:
        """One request and its answer, with cookies and what is remembered of earlier answers."""
        pool = self._pool(outgoing.origin, terms.verify)
        url = full_url(outgoing.origin, outgoing.target)
        response.begin(outgoing.method, url)
        extra = dict(pool.proxy_fields)
        remembering = terms.conditional and outgoing.method == "GET"
        if remembering:
            self._memory = self._memory or Memory()
            extra |= self._memory.questions(url)
        asks = terms.expect_continue and bool(outgoing.body)
        if asks:
            extra["Expect"] = "100-continue"
        cookie = "; ".join(filter(None, (self.cookies.header(outgoing.origin, outgoing.target), outgoing.cookie)))
        head = outgoing.head(pool.target(outgoing.target), cookie, extra)
        if asks:
            pool.exchange(response, head, terms.deadline_s, terms.waits, outgoing.body)
        else:
            pool.exchange(response, head + outgoing.body, terms.deadline_s, terms.waits)
        self._learn(response, outgoing)
        if remembering and self._memory is not None:
            self._memory.complete(url, response)

    def _learn(self, response: Response, outgoing: Outgoing) -> None:
        if response.head.sets_cookies:
            self.cookies.store(outgoing.origin, outgoing.target, response.head.fields)

    def _outgoing(self, method: str, path: str, options: RequestOptions) -> Outgoing:
        if params := options.get("params"):
            path += ("&" if "?" in path else "?") + urlencode(params, doseq=True)
        origin, target = self._locate(path)
        body, content_type = encode_body(options.get("json"), options.get("data"))
        fields = self._headers.with_fields(options.get("headers"))
        if content_type and not any(name.lower() == "content-type" for name in fields):
            fields["Content-Type"] = content_type
        if auth := options.get("auth"):
            fields["Authorization"] = basic_authorization(*auth)
        cookie = "; ".join(f"{name}={value}" for name, value in (options.get("cookies") or {}).items())
        return Outgoing(method, origin, target, fields, body, cookie)

    def _locate(self, path: str) -> tuple[Origin, str]:
        if "://" in path.partition("?")[0]:
            origin, target = split_url(path)
            return origin, target or "/"
        return self._origin, clean_target(f"{self._prefix}{'' if path.startswith('/') else '/'}{path}")

    def _pool(self, origin: Origin, verify: bool | str) -> Pool:
        pool = self._pools.get((origin, verify))
        if pool is None:
            context = (self.tls_context or tls_context(verify)) if origin.tls else None
            proxy = proxy_for(origin.host, origin.port, origin.tls, self.proxy)
            pool = self._pools[origin, verify] = Pool(origin, context, proxy, self.max_body_bytes)
        return pool
