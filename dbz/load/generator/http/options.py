"""What a scenario may ask of a single request, or of all requests of a client: the options of requests and Locust."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from requests.utils import select_proxy

from dbz.load.generator.http.pool import Waits

Hook = Callable[..., Any]
Certificate = str | tuple[str, str]


class RequestOptions(TypedDict, total=False):
    """What a single request may ask for."""

    params: Any
    """Added to the query: a mapping or pairs, in which None is left out, or text."""
    headers: Mapping[str, str | bytes | None] | None
    """Header fields; None takes a field of the client away."""
    json: Any
    """Sent as JSON."""
    data: Any
    """Sent as a form when it is a mapping or pairs; text, bytes, files and iterables are sent as they are."""
    files: Any
    """Sent as multipart/form-data, in the forms that requests takes."""
    auth: Any
    """(user, password), or one of requests' authentication objects."""
    cookies: Any
    """A mapping or a cookie jar, sent beside the client's own cookies."""
    timeout: float | tuple[float | None, float | None] | None
    """For the whole request, or (connect, each wait for bytes), in seconds."""
    allow_redirects: bool
    proxies: Mapping[str, str | None] | None
    """Proxy URLs by scheme, as in requests; an empty one is for none."""
    hooks: Mapping[str, Hook | Iterable[Hook]] | None
    """{"response": function or functions}, called for each answer, redirects included."""
    stream: bool | None
    """Whether the body is read only when the scenario asks for it; the time runs until the head then."""
    verify: bool | str | None
    """True, False or the path of a CA bundle."""
    cert: Certificate | None
    """The path of a client certificate with its key, or (certificate, key)."""
    context: Mapping[str, Any]
    """For listeners of Locust's request event; `Response.context`."""
    conditional: bool | None
    """Whether a GET asks only for what has changed; overrules the client's."""
    expect_continue: bool
    """Whether to ask before sending the body."""


_KNOWN = frozenset(RequestOptions.__annotations__)


@dataclass(slots=True)
class RequestTerms:
    """What holds for a request and for the redirects that follow it."""

    deadline_s: float
    """When the whole request must have ended, on the monotonic clock."""
    waits: Waits
    verify: bool | str
    """Whether certificates are verified, or the path of the CA bundle to verify them with."""
    proxies: Mapping[str, str | None] | None = None
    cert: Certificate | None = None
    conditional: bool = False
    """Whether to ask only for what has changed."""
    expect_continue: bool = False
    """Whether to ask before sending a body."""
    stream: bool = False
    """Whether to read the head only."""
    hooks: tuple[Hook, ...] = ()


def check_names(options: Mapping[str, Any]) -> None:
    """`TypeError` for an option that does not exist: dropped silently, a misspelt `timeout` would never be noticed."""
    for name in options:
        if name not in _KNOWN:
            similar = difflib.get_close_matches(name, (*_KNOWN, "name", "catch_response"), 1)
            hint = f" (did you mean '{similar[0]}'?)" if similar else ""
            raise TypeError(f"HttpClient.request() got an unexpected keyword argument '{name}'{hint}")


def terms_of(options: RequestOptions, usual: RequestTerms, started_s: float) -> RequestTerms:
    """The `usual` terms of a request that starts then, as its options change them."""
    timeout_s, waits = _waits_of(options.get("timeout"), usual.waits)
    verify = options.get("verify")
    return RequestTerms(
        usual.deadline_s if timeout_s is None else started_s + timeout_s,
        waits,
        usual.verify if verify is None else verify,
        options.get("proxies"),
        options.get("cert"),
        bool(options.get("conditional")),
        bool(options.get("expect_continue")),
        bool(options.get("stream")),
        _hooks_of(options.get("hooks")),
    )


def _waits_of(timeout: object, usual: Waits) -> tuple[float | None, Waits]:
    """What `timeout` means: seconds for the whole request (None: the client's), and the limits of single waits."""
    if timeout is None:
        return None, usual
    connect_s = usual.connect_s
    if isinstance(timeout, tuple):
        connect, read = timeout
        return None, Waits(connect_s if connect is None else float(connect), float(read or 0))
    if isinstance(timeout, int | float) and timeout > 0:
        return float(timeout), Waits(connect_s)
    raise ValueError(f"timeout is seconds above 0, or (connect, read), not {timeout!r}")


def _hooks_of(hooks: Mapping[str, Hook | Iterable[Hook]] | None) -> tuple[Hook, ...]:
    """The functions to call for each answer; `ValueError` for an event that requests does not have either."""
    if not hooks:
        return ()
    for event in hooks:
        if event != "response":
            raise ValueError(f"hooks are for 'response', not for '{event}'")
    given = hooks["response"]
    return (given,) if callable(given) else tuple(given)


def proxy_of(url: str, proxies: Mapping[str, str | None] | None) -> str | None:
    """The proxy that `proxies` name for a URL: its URL, empty for none, None when they say nothing about it."""
    if not proxies:
        return None
    chosen = select_proxy(url, {key: value or "" for key, value in proxies.items()})
    return None if chosen is None else str(chosen)


def merged(ours: Mapping[str, Any], given: RequestOptions) -> RequestOptions:
    """The options of the client and those of one request, which win; parameters of both are sent."""
    options: dict[str, Any] = {**ours, **{name: value for name, value in given.items() if value is not None}}
    mine, theirs = ours.get("params"), given.get("params")
    if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
        options["params"] = {**mine, **theirs}
    return options  # type: ignore[return-value]


def for_all_requests(name: str, begin: Callable[[], Any] | None = None) -> Any:
    """An option that all requests of a client have unless they say something else.

    Whoever asks for one that is not set gets what `begin` makes, to fill it as scenarios fill those of a session.
    """

    def get(client: Any) -> Any:
        value = client._options.get(name)
        if value is None and begin is not None:
            value = begin()
            set_(client, value)
        return value

    def set_(client: Any, value: Any) -> None:
        client._options[name] = value
        # An empty mapping counts: it may be filled at any time.
        client._special = any(each is not None for each in client._options.values())

    return property(get, set_)


def of_connections(name: str, usual: Any) -> Any:
    """What decides over which connections a client sends: after a change the next request looks for them again."""
    place = f"_{name}"

    def set_(client: Any, value: Any) -> None:
        setattr(client, place, value)
        client._home = None

    return property(lambda client: getattr(client, place, usual), set_)
