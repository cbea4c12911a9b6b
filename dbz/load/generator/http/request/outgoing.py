"""One request on its way: its bytes, and what a redirect makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dbz.hosts import is_loopback
from dbz.load.generator.http.request.fields import one_line
from dbz.load.generator.net.faults import BadRequest, RedirectRefused
from dbz.load.generator.net.origin import Origin

ANNOUNCED = frozenset({"POST", "PUT", "PATCH"})
"""Methods whose requests say how long their body is, even if there is none."""
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
"""Methods whose requests may be sent once more (RFC 9110, section 9.2.2)."""
_OF_THE_BODY = frozenset({"content-type", "content-length", "content-encoding", "content-language", "expect"})
_OF_THE_ORIGIN = frozenset({"authorization", "cookie", "host"})


@dataclass(slots=True)
class Outgoing:
    """A request as it will be sent.

    Nobody changes one; it is not frozen because that would cost each request a microsecond.
    """

    method: str
    origin: Origin
    target: str
    """Path and query as they stand on the request line."""
    fields: Mapping[str, str]
    """Header fields without Host, Cookie and Content-Length, unless the scenario gave these itself."""
    body: bytes = b""
    chunked: bool = False
    """Whether the body is in chunks, and so ends by itself."""
    fragment: str = ""
    """The part of the URL that no server is told."""
    cookie: str = ""
    """What the caller wants in the Cookie field beside the jar's."""

    def head(self, target: str, cookie: str, extra: Mapping[str, str]) -> bytes:
        """The request line, with `target` as the proxy or server wants it, and the header fields with `extra` ones."""
        fields = {**self.fields, **extra} if extra else self.fields
        names = "\n".join(fields).lower().split("\n")
        lines = [f"{self.method} {target} HTTP/1.1"]
        if "host" not in names:
            lines.append(f"Host: {self.origin.host_field}")
        lines += [one_line(f"{name}: {value}") for name, value in fields.items()]
        if cookie and "cookie" not in names:
            lines.append(one_line(f"Cookie: {cookie}"))
        if self.chunked:
            lines += [] if "transfer-encoding" in names else ["Transfer-Encoding: chunked"]
        elif (self.body or self.method in ANNOUNCED) and "content-length" not in names:
            lines.append(f"Content-Length: {len(self.body)}")
        return head_bytes("\r\n".join(lines) + "\r\n\r\n")

    def redirected(self, status: int, origin: Origin, target: str, fragment: str) -> Outgoing:
        """The request that follows a redirect (RFC 9110, section 15.4): 307 and 308 repeat it, the others may get.

        Credentials stay with the origin they were given for, and a fragment is kept until there is another one.
        """
        drop: frozenset[str] = frozenset()
        method, body, chunked, cookie = self.method, self.body, self.chunked, self.cookie
        if status == 303 or (status in (301, 302) and method == "POST"):
            method, body, chunked = ("HEAD" if method == "HEAD" else "GET"), b"", False
            drop |= _OF_THE_BODY
        if origin != self.origin:
            cookie = ""
            drop |= _OF_THE_ORIGIN
        fields = {name: value for name, value in self.fields.items() if name.lower() not in drop}
        return Outgoing(method, origin, target, fields, body, chunked, fragment or self.fragment, cookie)


def head_bytes(text: str) -> bytes:
    """A request line with header fields as it is sent; `BadRequest` when it cannot be said in HTTP."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        line = text[text.rfind("\n", 0, error.start) + 1 : error.start]
        where = f"the header field {line.partition(':')[0]!r}" if ":" in line else "the request line"
        raise BadRequest(f"{where} has {text[error.start]!r}, which is not Latin-1") from None


def check_redirect(home: Origin, origin: Origin, allowed: set[str]) -> None:
    """Keep the load where it was sent: `RedirectRefused` for a host that is neither home, this machine, nor allowed."""
    if origin.host != home.host and origin.host not in allowed and not is_loopback(origin.host):
        raise RedirectRefused(f"to {origin.host}: add it to client.redirect_hosts if it is yours to load")
