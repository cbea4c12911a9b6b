"""Command lines of curl, as browsers copy them and documentation shows them."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote_plus, urlsplit

from dbz.bring.recording import MULTIPART, Exchange, MessageBody, Recording, body_of
from dbz.errors import UsageError

_WITH_VALUE = {
    "-X", "-H", "-d", "-b", "-u", "-A", "-e", "-F", "-o", "-m", "-T", "-x", "-c", "-w", "--request", "--header",
    "--data", "--data-raw", "--data-binary", "--data-ascii", "--data-urlencode", "--json", "--cookie", "--user",
    "--user-agent", "--referer", "--form", "--form-string", "--output", "--max-time", "--url", "--connect-timeout",
    "--cacert", "--cert", "--key", "--proxy", "--retry", "--cookie-jar", "--write-out", "--resolve", "--limit-rate",
}  # fmt: skip
_DATA = {"-d", "--data", "--data-raw", "--data-binary", "--data-ascii"}
_FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass
class _Command:
    """One call of curl, taken apart."""

    url: str = ""
    method: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    form: list[tuple[str, str]] = field(default_factory=list)
    json: bool = False
    as_query: bool = False


def read_curl(text: str, source: str) -> Recording:
    """The requests of all curl commands in a text; `UsageError` when one cannot be read."""
    commands = [_command(words, source) for words in _calls(text, source)]
    recording = Recording(recorded=False)
    recording.exchanges = [_exchange(command, source) for command in commands]
    return recording


def _calls(text: str, source: str) -> list[list[str]]:
    """The words of each command; a line that ends in a backslash goes on."""
    try:
        words = shlex.split(text.replace("\\\r\n", " ").replace("\\\n", " ").replace("\n", " ; "), comments=True)
    except ValueError as error:
        raise UsageError(f"{source}: a curl command does not end: {error}", code="B002") from error
    calls: list[list[str]] = []
    for word in words:
        if word in ("curl", "curl.exe"):
            calls.append([])
        elif word in (";", "&&", "|") or not calls:
            calls.append([]) if calls and calls[-1] else None
        else:
            calls[-1].append(word)
    return [call for call in calls if call]


def _command(words: Sequence[str], source: str) -> _Command:
    command, rest = _Command(), list(words)
    while rest:
        word = rest.pop(0)
        name, _, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if not word.startswith("-"):
            command.url = command.url or word
        elif name in _WITH_VALUE:
            if not value and not rest:
                raise UsageError(f"{source}: curl's option {name} has no value", code="B002")
            _take(command, name, value or rest.pop(0))
        elif word[:2] in _WITH_VALUE and len(word) > 2:
            _take(command, word[:2], word[2:])
        elif word in ("-G", "--get"):
            command.as_query = True
        elif word in ("-I", "--head"):
            command.method = "HEAD"
    if not command.url:
        raise UsageError(f"{source}: a curl command has no URL", code="B002")
    return command


def _take(command: _Command, name: str, value: str) -> None:
    if name in ("-X", "--request"):
        command.method = value.upper()
    elif name in ("-H", "--header"):
        key, _, text = value.partition(":")
        command.headers.append((key.strip().lower(), text.strip()))
    elif name in _DATA:
        command.data.append(value)
    elif name == "--data-urlencode":
        key, equals, text = value.partition("=")
        command.data.append(f"{key}={quote_plus(text)}" if equals else quote_plus(value))
    elif name == "--json":
        command.data, command.json = [*command.data, value], True
    elif name in ("-F", "--form", "--form-string"):
        key, _, text = value.partition("=")
        command.form.append((key, text))
    elif name in ("-b", "--cookie"):
        command.headers.append(("cookie", value))
    elif name in ("-u", "--user"):
        command.headers.append(("authorization", "Basic " + base64.b64encode(value.encode()).decode()))
    elif name == "--url":
        command.url = value


def _exchange(command: _Command, source: str) -> Exchange:
    url = command.url if "://" in command.url else f"http://{command.url}"
    headers = [*command.headers]
    media_type = next((value for key, value in headers if key == "content-type"), "")
    if command.json:
        media_type = media_type or "application/json"
    data = "&".join(command.data) if not command.json else "".join(command.data)
    body = MessageBody(MULTIPART, command.form, "multipart/form-data") if command.form else MessageBody()
    if command.as_query and data:
        url += ("&" if urlsplit(url).query else "?") + data
    elif data:
        body = body_of(data, media_type or _FORM_TYPE)
    method = command.method or ("POST" if body else "GET")
    return Exchange(method, url, headers, body, source=source)
