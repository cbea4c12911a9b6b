"""The HTTP client of one virtual user.

    with self.client.get("/api/posts", name="/api/posts", catch_response=True) as response:
        if not response.json()["posts"]:
            response.failure("no posts")

A status of 400 or more, and a request without a complete answer, are failures unless the caller judges otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Unpack

from gevent import GreenletExit

from dbz.load.generator.http.answer.reader import ResponseReader
from dbz.load.generator.http.authentication import answer_challenge, sign
from dbz.load.generator.http.cookies import pairs_text
from dbz.load.generator.http.memory import Memory
from dbz.load.generator.http.options import (
    Certificate,
    RequestOptions,
    RequestTerms,
    check_names,
    merged,
    proxy_of,
    terms_of,
)
from dbz.load.generator.http.pool import BegunRequest, Pool
from dbz.load.generator.http.request.bodies import encode_body, encode_params
from dbz.load.generator.http.request.fields import one_line
from dbz.load.generator.http.request.graphql import operations_of, problem_in
from dbz.load.generator.http.request.outgoing import ANNOUNCED, Outgoing, check_redirect, head_bytes
from dbz.load.generator.http.request.plain import PlainRequest, plain_request
from dbz.load.generator.http.request.urls import (
    fragment_of,
    full_url,
    is_absolute,
    is_plain,
    prepare_url,
    resolve,
)
from dbz.load.generator.http.response import REDIRECTS, Response
from dbz.load.generator.http.settings import ClientSettings
from dbz.load.generator.http.verbs import Verbs
from dbz.load.generator.net.access.user import UserAccess
from dbz.load.generator.net.connection import Connection
from dbz.load.generator.net.dial import tls_context
from dbz.load.generator.net.faults import TooManyRedirects, TransportError, notes_of
from dbz.load.generator.net.origin import Origin
from dbz.load.generator.net.proxies import proxy_for
from dbz.load.generator.net.wire import DirectConnection
from dbz.load.generator.record.under_way import under_way

TIMEOUT_S = 30.0
UNFINISHED_ERROR = "no answer when the user was stopped"
"""How the error of a request begins that was cut off by the end of its user."""
_BODY_OPTIONS = frozenset({"json", "data"})

Record = Callable[["Response", str, float], None]
"""Takes a finished response, its operation and its duration in seconds."""
Count = Callable[[PlainRequest, float], bool]
"""Counts a request whose answer was known, with its seconds; False when it is to be recorded as others are."""


def never_counted(_plain: PlainRequest, _elapsed_s: float) -> bool:
    """Leave all requests to be recorded one by one."""
    return False


class HttpClient(ClientSettings, Verbs):
    """The HTTP side of one virtual user: a base URL, default headers, cookies and a pool of kept-alive connections.

    `record` is called once for each request, when its outcome is known. `timeout_s` covers a whole request with its
    redirects. `verify` is True, False or the path of a CA bundle; `tls_context` overrules it. `proxy` is a URL, empty
    for none, None for what the environment says, which counts only with `trust_env`. `auth`, `params`, `cert`,
    `proxies`, `hooks`, `stream` and `conditional` are options of all requests. `detects_graphql`: whether requests with
    a GraphQL document are named by their operation, and fail when the answer has errors. Redirects leave the host only
    towards this machine and `redirect_hosts`. `access` is the network of all connections; None for this machine's.
    """

    def __init__(
        self,
        base_url: str,
        record: Record,
        *,
        count: Count = never_counted,
        timeout_s: float = TIMEOUT_S,
        access: UserAccess | None = None,
    ) -> None:
        super().__init__(base_url, timeout_s)
        self._record = record
        self._count = count
        self._access = access
        self._memory: Memory | None = None
        self._pools: dict[tuple[object, ...], Pool] = {}

    def request(
        self,
        method: str,
        url: str,
        name: str | None = None,
        catch_response: bool = False,
        **options: Unpack[RequestOptions],
    ) -> Response:
        """Send a request and read the whole answer; transport failures are in the response, never raised.

        `url` is a path below the base URL, or a whole URL. `name` groups requests in reports (default: the path
        without its query). With `catch_response` nothing is recorded until the `with` block that judges the response
        has ended. For the other options see `RequestOptions`; one that does not exist is a `TypeError`.
        """
        method = method.upper()
        if not options and not self._special and (home := self._home) is not None:
            cookie = self._cookies.everywhere(self._origin)
            if cookie is not None:
                fields, name = self._headers.rendered(self._host), name or self.request_name
                plain = plain_request(
                    method, url, name, self._before, self._version, fields, cookie, self.detects_graphql
                )
                if plain is not None:
                    return self._repeat(plain, home, catch_response)
        operations = (
            operations_of(url, options, self._headers) if self.detects_graphql and (options or "?" in url) else ""
        )
        if not name:
            name = self.request_name or (
                f"{url.partition('?')[0]} {operations}" if operations else url.partition("?")[0]
            )
        response = Response(method, url, f"{method} {name}", self._record)
        if operations:
            response.judge = problem_in
        self._complete(response, options, time.monotonic())
        if not catch_response:
            response.finish()
        return response

    def _repeat(self, plain: PlainRequest, home: Pool, catch_response: bool) -> Response:
        """As `request`, with as little as can be done for a request that asks for nothing special: most do not."""
        started_s = time.monotonic()
        response = Response(plain.method, plain.path, plain.operation, self._record)
        response.root = self._root
        known, key = False, id(response)
        under_way[key] = (plain.operation, started_s)
        try:
            known = home.repeat(response, plain, started_s + self.timeout_s, self.waits)
            if not known and (response.head.sets_cookies or response.status_code in REDIRECTS):
                self._go_on(response, {}, started_s + self.timeout_s)
        except BaseException as error:
            self._fail(response, error, started_s)
        finally:
            del under_way[key]
        ended_s = time.monotonic()
        elapsed_s = response.elapsed_s = ended_s - started_s
        if response.first_byte_s:
            response.body_s = ended_s - response.first_byte_s
        if catch_response:
            return response
        if known and not response.connections and self._count(plain, elapsed_s):
            response.counted()
        else:
            response.finish()
        return response

    def lend(self, response: Response) -> tuple[DirectConnection, ResponseReader] | None:
        """The connection over which the bytes that brought this answer would ask the same once more.

        None when the next request may have to be another one, or its answer be judged by more than its head. Whoever
        borrows the connection gives it back by `give_back`, or by `resume` with a request under way.
        """
        asked_otherwise = self._special or response.history or response.judge or self._cookies.expire
        if self._home is None or asked_otherwise or response.error or not response.head.plain:
            return None
        return self._home.lend()

    def give_back(self, connection: Connection, reader: ResponseReader) -> None:
        """Take back a lent connection that carries no request."""
        self._go_home().give_back(connection, reader)

    def resume(self, begun: BegunRequest, like: Response, **options: Unpack[RequestOptions]) -> Response:
        """As the `request` whose answer was `like`, once more, of one that was begun over a lent connection."""
        response = Response(like.method, like.path, like.operation, self._record)
        self._complete(response, options, begun.started_s, begun)
        response.finish()
        return response

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            pool.close()

    def _complete(
        self,
        response: Response,
        options: RequestOptions,
        started_s: float,
        begun: BegunRequest | None = None,
    ) -> None:
        """All that happens between the start of a request, which may have been `begun`, and the end of its answer."""
        under_way[id(response)] = (response.operation, started_s)
        try:
            if begun is not None:
                self._resume(response, options, begun)
            elif self._special or (options and not options.keys() <= _BODY_OPTIONS) or not is_plain(response.path):
                self._send(response, options, started_s)
            else:
                self._send_plain(response, options, started_s)
        except BaseException as error:
            self._fail(response, error, started_s)
        finally:
            del under_way[id(response)]
        ended_s = time.monotonic()
        response.elapsed_s = ended_s - started_s
        if response.first_byte_s:
            response.body_s = ended_s - response.first_byte_s

    def _fail(self, response: Response, error: BaseException, started_s: float) -> None:
        """Note why there is no answer; raises the error again unless it is one of the transport."""
        if isinstance(error, TransportError):
            response.error = str(error) + notes_of(error)
            return
        if isinstance(error, GreenletExit):
            response.error = UNFINISHED_ERROR + notes_of(error)
            response.elapsed_s = time.monotonic() - started_s
            response.finish()
        raise error

    def _send_plain(self, response: Response, options: RequestOptions, started_s: float) -> None:
        """A request with no more than a body or cookies."""
        home = self._go_home()
        response.root = self._root
        deadline_s = started_s + self.timeout_s
        home.exchange(response, self._message(response, options), deadline_s, self.waits)
        if response.head.sets_cookies or response.status_code in REDIRECTS:
            self._go_on(response, options, deadline_s)

    def _message(self, response: Response, options: RequestOptions) -> bytes:
        """The bytes of a request with a body or cookies."""
        method, fields, after, body = response.method, self._headers, "\r\n", b""
        if options or method in ANNOUNCED:
            body, content_type, chunked = encode_body(options.get("json"), options.get("data"))
            after = "Transfer-Encoding: chunked\r\n\r\n" if chunked else f"Content-Length: {len(body)}\r\n\r\n"
            if content_type and not fields.has("content-type"):
                after = f"Content-Type: {content_type}\r\n{after}"
        if self._cookies and not fields.has("cookie"):
            cookie = self._cookies.header(self._origin, self._prefix + response.path)
            after = one_line(f"Cookie: {cookie}") + "\r\n" + after if cookie else after
        message = f"{method} {self._before}{response.path}{self._version}{fields.rendered(self._host)}{after}"
        return head_bytes(message) + body

    def _resume(self, response: Response, options: RequestOptions, begun: BegunRequest) -> None:
        deadline_s = begun.started_s + self.timeout_s
        response.root = self._root
        self._go_home().resume(response, begun, deadline_s, self.waits)
        if response.head.sets_cookies or response.status_code in REDIRECTS:
            self._go_on(response, options, deadline_s)

    def _go_on(self, response: Response, options: RequestOptions, deadline_s: float) -> None:
        """What an answer asks for to a request that asked for nothing special."""
        outgoing = self._outgoing(response, options)
        self._learn(response, outgoing)
        self._follow(response, outgoing, RequestTerms(deadline_s, self.waits, self.verify))

    def _go_home(self) -> Pool:
        """The pool of the base URL, and what is written around the path of a request to it."""
        if self._home is not None:
            return self._home
        home = self._home = self._pool(self._origin, self.verify)
        self._before = home.target(self._prefix)
        proxy_fields = "".join(f"{name}: {value}\r\n" for name, value in home.proxy_fields.items())
        self._version = f" HTTP/1.1\r\n{proxy_fields}"
        return home

    def _send(self, response: Response, options: RequestOptions, started_s: float) -> None:
        check_names(options)
        if self._options:
            options = merged(self._options, options)
        response.context = options.get("context") or {}
        usual = RequestTerms(started_s + self.timeout_s, self.waits, self.verify)
        terms = terms_of(options, usual, started_s)
        outgoing = self._outgoing(response, options)
        self._hop(response, outgoing, terms)
        if response.status_code == 401 and (auth := options.get("auth")):
            self._answer_challenge(response, outgoing, terms, auth)
        if options.get("allow_redirects", True):
            self._follow(response, outgoing, terms)

    def _answer_challenge(self, response: Response, outgoing: Outgoing, terms: RequestTerms, auth: Any) -> None:
        """Send a request again with what a 401 asks for, when `auth` can answer that."""
        challenge = response.headers.get("www-authenticate", "")
        answer = answer_challenge(auth, outgoing.method, full_url(outgoing.origin, outgoing.target), challenge)
        if answer:
            response.history = (*response.history, response.as_it_is())
            outgoing.fields = {**outgoing.fields, "Authorization": answer}
            self._hop(response, outgoing, terms)

    def _follow(self, response: Response, outgoing: Outgoing, terms: RequestTerms) -> None:
        """Go where redirects lead; what led there is the response's history."""
        while response.status_code in REDIRECTS and response.headers.get("location"):
            if len(response.history) >= self.max_redirects:
                raise TooManyRedirects(f"more than {self.max_redirects}")
            location = response.headers["location"].encode("latin-1")
            origin, target, fragment = resolve(full_url(outgoing.origin, outgoing.target), location)
            check_redirect(self._origin, origin, self.redirect_hosts)
            response.history = (*response.history, response.as_it_is())
            outgoing = outgoing.redirected(response.status_code, origin, target, fragment)
            self._hop(response, outgoing, terms)

    def _hop(self, response: Response, outgoing: Outgoing, terms: RequestTerms) -> None:
        """One request and its answer, with cookies and what is remembered of earlier answers."""
        url = full_url(outgoing.origin, outgoing.target)
        pool = self._pool(outgoing.origin, terms.verify, terms.cert, proxy_of(url, terms.proxies))
        response.begin(outgoing.method, f"{url}#{outgoing.fragment}" if outgoing.fragment else url)
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
        elif terms.stream:
            pool.begin(response, head + outgoing.body, terms.deadline_s, terms.waits)
        else:
            pool.exchange(response, head + outgoing.body, terms.deadline_s, terms.waits)
        self._learn(response, outgoing)
        if remembering and self._memory is not None:
            self._memory.complete(url, response)
        for hook in terms.hooks:
            hook(response)

    def _learn(self, response: Response, outgoing: Outgoing) -> None:
        if response.head.sets_cookies:
            self.cookies.store(outgoing.origin, outgoing.target, response.head.fields)

    def _outgoing(self, response: Response, options: RequestOptions) -> Outgoing:
        origin, target, credentials = self._locate(response.path, encode_params(options.get("params")))
        body, content_type, chunked = encode_body(options.get("json"), options.get("data"), options.get("files"))
        fields = self._headers.with_fields(options.get("headers"))
        if content_type and not any(name.lower() == "content-type" for name in fields):
            fields["Content-Type"] = content_type
        cookie = pairs_text(options.get("cookies") or {})
        fragment = fragment_of(response.path) if "#" in response.path else ""
        outgoing = Outgoing(response.method, origin, target, fields, body, chunked, fragment, cookie)
        if auth := options.get("auth"):
            sign(outgoing, auth)
        elif credentials:
            fields["Authorization"] = credentials
        return outgoing

    def _locate(self, url: str, query: str) -> tuple[Origin, str, str]:
        """Where a request goes, its target, and the credentials that its URL has."""
        if is_plain(url) and not query:
            return self._origin, self._prefix + url, ""
        if is_absolute(url):
            return prepare_url(url, query)
        slash = "" if url.startswith(("/", "?", "#")) or not url else "/"
        origin, target, _ = prepare_url(f"{self._root}{slash}{url}", query)
        return origin, target, ""

    def _pool(
        self, origin: Origin, verify: bool | str, cert: Certificate | None = None, proxy_url: str | None = None
    ) -> Pool:
        if proxy_url is None:
            proxy_url = "" if self.proxy is None and not self.trust_env else self.proxy
        key = (origin, verify, cert, proxy_url, self.tls_context)
        pool = self._pools.get(key)
        if pool is None:
            context = (self.tls_context or tls_context(verify, cert)) if origin.tls else None
            proxy = proxy_for(origin.host, origin.port, origin.tls, proxy_url)
            pool = self._pools[key] = Pool(origin, context, proxy, self.max_body_bytes, self._access)
        return pool
