"""Command lines of curl, as browsers copy them and documentation shows them."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, quote_plus, unquote, unquote_plus, urlsplit

from dbz.bring.files.curl.options import NOT_REPEATED, SHORT, WITH_VALUE
from dbz.bring.files.curl.words import ShellCommand, UnclosedTextError, commands_of
from dbz.bring.recording import MULTIPART, NO_SERVER, TEXT, Exchange, MessageBody, Recording, body_of
from dbz.errors import UsageError
from dbz.printable import printable

_FORM_TYPE = "application/x-www-form-urlencoded"
_JSON_TYPE = "application/json"
_BEFORE = re.compile(r"[$%>#]|sudo|time|exec|env|\w+=.*", re.DOTALL)
"""What may stand before the name of a program: a prompt, another program that calls it, a variable."""
_CURL = re.compile(r"(?:.*[/\\])?curl(?:\.exe)?")
_NO_HOST = re.compile(r"(?:https?://)?(?:<\w+>|\$[^/]*)(?=/|$)")
_RANGE, _SET = re.compile(r"\[(\w+)-\w+(?::\d+)?\]"), re.compile(r"\{([^{},]*),[^{}]*\}")
"""What stands for several URLs in one of curl's: the first of them is what it begins with."""


@dataclass
class _Request:
    """What the options of one call, up to `--next`, ask for."""

    given: str = ""
    """What curl reads from standard input."""
    urls: list[str] = field(default_factory=list)
    query: list[str] = field(default_factory=list)
    method: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    data: list[str] | None = None
    form: list[tuple[str, str]] = field(default_factory=list)
    json: bool = False
    as_query: bool = False
    upload: bool = False
    unsent: list[str] = field(default_factory=list)
    """Files whose content is not in the command, and options that are not repeated."""


def read_curl(text: str, source: str) -> Recording:
    """The requests of all curl commands in a text; `UsageError` when one cannot be read."""
    try:
        commands, variables = commands_of(text)
    except UnclosedTextError as error:
        raise UsageError(f"{source}: a curl command does not end: {error}", code="B002") from error
    requests = [one for command in commands if _is_curl(command) for one in _requests(command, source)]
    recording = Recording(recorded=False)
    recording.exchanges = [_exchange(one, url, source) for one in requests for url in one.urls]
    unsent = list(dict.fromkeys(what for one in requests for what in one.unsent))
    if unsent:
        recording.notes.append(f"{source}: not in the commands, or not repeated, and so not sent: {', '.join(unsent)}")
    several = [url for one in requests for url in one.urls if _first_of(url) != url]
    if several:
        recording.notes.append(f"{source}: stands for several URLs, of which the first is asked: {', '.join(several)}")
    if variables:
        recording.notes.append(f"{source}: variables of the shell, which are not known: {', '.join(variables)}")
    if any(not urlsplit(exchange.url).netloc for exchange in recording.exchanges):
        recording.notes.append(f"{source}: a command {NO_SERVER}: say --target URL")
    return recording


def _is_curl(command: ShellCommand) -> bool:
    while command.words and _BEFORE.fullmatch(command.words[0]):
        command.words.pop(0)
    return bool(command.words) and bool(_CURL.fullmatch(command.words[0]))


def _requests(command: ShellCommand, source: str) -> list[_Request]:
    requests = [_Request(command.given)]
    for name, value in _options(command.words[1:], source):
        if name == "next":
            requests.append(_Request(command.given))
        else:
            _take(requests[-1], name, value)
    if not all(one.urls for one in requests):
        raise UsageError(f"{source}: a curl command has no URL", code="B002")
    return requests


def _options(words: Sequence[str], source: str) -> Iterator[tuple[str, str]]:
    """Long names of options with their values, as curl takes its arguments apart; a bare word is the URL."""
    rest = list(reversed(words))

    def value_of(option: str) -> str:
        if not rest:
            raise UsageError(f"{source}: curl's option {option} has no value", code="B002")
        return rest.pop()

    bare = False
    while rest:
        word = rest.pop()
        if bare or word == "-" or not word.startswith("-"):
            yield "url", word
        elif word == "--":
            bare = True
        elif word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            yield name, (value if equals else value_of(word)) if name in WITH_VALUE else ""
        else:
            yield from _short(word[1:], value_of)


def _short(letters: str, value_of: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """The options in a word such as `-sSXPOST`: the first one with a value takes the rest of it, or the next word."""
    for at, letter in enumerate(letters):
        name = SHORT.get(letter, "")
        if name in WITH_VALUE:
            yield name, letters[at + 1 :] or value_of(f"-{letter}")
            return
        yield name, ""


def _take(request: _Request, name: str, value: str) -> None:
    if name == "url":
        request.urls.append(value)
    elif name == "request":
        request.method = value.upper()
    elif name in ("get", "head"):
        request.as_query = request.as_query or name == "get"
        request.method = request.method or ("HEAD" if name == "head" else "")
    elif name in _HEADERS:
        request.headers += _HEADERS[name](request, value)
    elif name.startswith("data") or name == "json":
        request.data = [*(request.data or ()), _content(request, name, value)]
        request.json = request.json or name == "json"
    elif name in ("form", "form-string"):
        request.form.append(_part(request, name, value))
    elif name == "url-query":
        request.query.append(value[1:] if value.startswith("+") else _encoded(request, value))
    elif name == "upload-file":
        request.upload = True
        request.data = [_file(request, value)]
    elif name in NOT_REPEATED:
        request.unsent.append(f"--{name}")


def _header(request: _Request, value: str) -> list[tuple[str, str]]:
    """`Name: value`; `Name;` is an empty one, and `Name:` one that is not sent."""
    if value.startswith("@"):
        request.unsent.append(value)
        return []
    name, colon, text = value.partition(":")
    if not colon:
        return [(name[:-1].strip().lower(), "")] if name.endswith(";") else []
    return [(name.strip().lower(), text.strip())] if text.strip() else []


def _cookie(request: _Request, value: str) -> list[tuple[str, str]]:
    if "=" not in value:
        request.unsent.append(value)
        return []
    return [("cookie", value)]


def _basic(_request: _Request, value: str) -> list[tuple[str, str]]:
    user = value if ":" in value else f"{value}:"
    return [("authorization", "Basic " + base64.b64encode(user.encode("utf-8", "replace")).decode())]


_HEADERS: dict[str, Callable[[_Request, str], list[tuple[str, str]]]] = {
    "header": _header,
    "cookie": _cookie,
    "user": _basic,
    "user-agent": lambda _, value: [("user-agent", value)],
    "referer": lambda _, value: [("referer", value.partition(";auto")[0])],
    "range": lambda _, value: [("range", f"bytes={value}")],
    "oauth2-bearer": lambda _, value: [("authorization", f"Bearer {value}")],
}


def _content(request: _Request, name: str, value: str) -> str:
    if name == "data-urlencode":
        return _encoded(request, value)
    return value if name == "data-raw" or not value.startswith("@") else _file(request, value[1:])


def _file(request: _Request, name: str) -> str:
    """The content of a file: that of standard input may be in the commands."""
    if name in ("-", ".") and request.given:
        return request.given
    request.unsent.append(f"the content of {name}")
    return ""


def _encoded(request: _Request, value: str) -> str:
    """`content`, `=content`, `name=content`, `@file` or `name@file`, with the content encoded."""
    name, mark, content = re.match(r"([^=@]*)([=@]?)(.*)", value, re.DOTALL).groups()  # type: ignore[union-attr]
    content = _file(request, content) if mark == "@" else content if mark else name
    encoded = quote_plus(content)
    return f"{name}={encoded}" if mark and name else encoded


def _part(request: _Request, name: str, value: str) -> tuple[str, str]:
    """A part of a multipart body; that of a file is its name."""
    key, _, text = value.partition("=")
    if name == "form" and text[:1] in ("@", "<"):
        text = text[1:].partition(";")[0].strip('"')
        request.unsent.append(f"the content of {text}")
    elif name == "form":
        text = re.sub(r";(?:type|filename|headers|encoder)=.*", "", text).strip('"')
    return key, text


def _exchange(request: _Request, given: str, source: str) -> Exchange:
    url = _first_of(given)
    url = url[match.end() :] or "/" if (match := _NO_HOST.match(url)) else url
    url = url if "://" in url or url.startswith("/") else f"http://{url}"
    try:
        urlsplit(url)
    except ValueError as error:
        raise UsageError(f"{source}: '{printable(given[:60])}' is no URL: {error}", code="B002") from error
    data = None if request.data is None else ("" if request.json else "&").join(request.data)
    if query := [*request.query, *([data] if request.as_query and data else [])]:
        bare, _, fragment = url.partition("#")
        url = f"{bare}{'&' if urlsplit(bare).query else '?'}{'&'.join(query)}{'#' if fragment else ''}{fragment}"
    headers = list(request.headers)
    parts = urlsplit(url)
    if parts.username is not None and not any(name == "authorization" for name, _ in headers):
        headers += _basic(request, unquote(f"{parts.username}:{parts.password or ''}"))
    if request.json:
        headers += [("accept", _JSON_TYPE)] if not any(name == "accept" for name, _ in headers) else []
    body = MessageBody() if request.as_query else _body(request, data or "", headers)
    method = "PUT" if request.upload else "POST" if request.form or data is not None else "GET"
    return Exchange(request.method or ("GET" if request.as_query else method), url, headers, body, source=source)


def _body(request: _Request, data: str, headers: Sequence[tuple[str, str]]) -> MessageBody:
    if request.form:
        return MessageBody(MULTIPART, request.form, "multipart/form-data")
    media_type = next((value for name, value in headers if name == "content-type"), "")
    media_type = media_type or (_JSON_TYPE if request.json else "" if request.upload else _FORM_TYPE)
    body = body_of(data, media_type)
    # JSON and other texts without a type of their own are sent as they are, under that of forms.
    whole = unquote_plus(data) == "&".join(f"{key}={value}" for key, value in parse_qsl(data, keep_blank_values=True))
    return body if not data or media_type != _FORM_TYPE or whole else replace(body, kind=TEXT, value=data)


def _first_of(url: str) -> str:
    return _SET.sub(r"\1", _RANGE.sub(r"\1", url))
