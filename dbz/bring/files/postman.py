"""Postman collections, versions 2.0 and 2.1: requests in folders, with variables."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode, urlsplit

from dbz.bring.files.postman_auth import auth_headers, auth_query, encoded_basic, unread_auth
from dbz.bring.names import snake, without_ids
from dbz.bring.recording import (
    FORM,
    MULTIPART,
    Exchange,
    GivenValue,
    MessageBody,
    Recording,
    body_of,
    placeholder,
)
from dbz.bring.values import Location
from dbz.errors import UsageError

_ANSWER = r"(?:pm\.response\.json\(\)|JSON\.parse\((?:responseBody|pm\.response\.text\(\))\))"
_STEPS = r"""((?:\??\.[A-Za-z_$][\w$]*|(?:\?\.)?\[(?:\d+|"[^"]*"|'[^']*')\])*)"""
_STEP = re.compile(r"""\.([A-Za-z_$][\w$]*)|\[(?:(\d+)|["']([^"']*)["'])\]""")
_HELD = re.compile(rf"(?:const|let|var)\s+(\w+)\s*=\s*{_ANSWER}{_STEPS}\s*(?:;|$)", re.MULTILINE)
_SET = re.compile(
    r"""(?:pm\.(?:environment|collectionVariables|globals|variables)\.set|postman\.set(?:Environment|Global)Variable)"""
    rf"""\(\s*["']([\w.-]+)["']\s*,\s*(?:({_ANSWER})|(\w+)){_STEPS}\s*\)"""
)
_BARE_VARIABLE = re.compile(r'(?<!["\w])\{\{[^{}]+\}\}(?!["\w])')
_BASE = re.compile(r"\s*\{\{\s*[\w.$-]+\s*\}\}(?=/|$)")
_VARIABLE = re.compile(r"\{\{\s*([\w.$-]+)\s*\}\}")
_MAX_DEPTH = 30

Json = dict[str, Any]
_MEDIA_TYPES = {"json": "application/json", "xml": "application/xml", "html": "text/html", "text": "text/plain"}


def read_postman(document: Any, source: str) -> Recording:
    """The requests of a collection, with its own variables put in; `UsageError` when it is none.

    A variable that the test script of a request sets from its answer is taken from the run's own answer.
    """
    items = document.get("item")
    if not isinstance(items, list):
        raise UsageError(f"{source}: a Postman collection has a list 'item'", code="B002")
    variables = _variables(document.get("variable"))
    recording = Recording(recorded=False)
    listed = list(_requests(items, document.get("auth"), 0))
    given = _given(listed, document.get("auth"))
    variables |= {name: one.text for gives in given.values() for name, one in gives.items()}
    unknown: set[str] = set()
    for item, auth in listed:
        try:
            exchange = _filled(_exchange(item, auth, source), variables, unknown)
        except (KeyError, TypeError, AttributeError):
            recording.notes.append(f"{source}: the request '{item.get('name', '?')}' cannot be read, and is left out")
            continue
        gives = given.get(id(item))
        if gives:
            recording.start.append(replace(exchange, gives=tuple(gives.values())))
        if not gives or exchange.method == "GET":
            recording.exchanges.append(exchange)
    if unread := sorted({kind for item, auth in listed if (kind := unread_auth(_own_auth(item) or auth))}):
        recording.notes.append(f"{source}: authentication of a kind that is not read is left out: {', '.join(unread)}")
    if files := list(dict.fromkeys(name for item, _ in listed for name in _files(item))):
        recording.notes.append(f"{source}: the contents of files are not in the collection: {', '.join(files)}")
    if unknown:
        names = ", ".join(sorted(unknown))
        recording.notes.append(f"{source}: variables without a value in the collection stay as they are: {names}")
    return recording


def _own_auth(item: Json) -> Any:
    return item["request"].get("auth") if isinstance(item["request"], dict) else None


def _given(listed: Sequence[tuple[Json, Any]], auth: Any) -> dict[int, dict[str, GivenValue]]:
    """By request: the variables that its test script sets from its answer and that others use; the first one counts."""
    given: dict[int, dict[str, GivenValue]] = {}
    taken: set[str] = set()
    for item, _ in listed:
        others = str([auth, *((other.get("request"), other_auth) for other, other_auth in listed if other is not item)])
        for name, location in set_variables(_test_script(item)):
            used = name in _VARIABLE.findall(others)
            if used and name not in taken:
                taken.add(name)
                text = placeholder(snake(name).upper())
                given.setdefault(id(item), {})[name] = GivenValue(text, location, name)
    return given


def _test_script(item: Json) -> str:
    """What runs after the answer to a request, as JavaScript."""
    lines: list[str] = []
    events = item.get("event")
    for event in events if isinstance(events, list) else ():
        if isinstance(event, dict) and event.get("listen") == "test" and isinstance(event.get("script"), dict):
            written = event["script"].get("exec") or ""
            lines += map(str, written) if isinstance(written, list) else [str(written)]
    return "\n".join(lines)


def set_variables(script: str) -> Iterator[tuple[str, Location]]:
    """The variables that a script sets to a part of the answer's JSON, each with the place of that part.

    `pm.environment.set("token", pm.response.json().data.token)`, and the same by way of a variable of the script.
    """
    holders = {name: _location(steps) for name, steps in _HELD.findall(script)}
    for name, whole, holder, steps in _SET.findall(script):
        start = () if whole else holders.get(holder)
        location = (*start, *_location(steps)) if start is not None else ()
        if location:
            yield name, location


def _location(steps: str) -> Location:
    return tuple(int(index) if index else plain or quoted for plain, index, quoted in _STEP.findall(steps))


def _requests(items: list[Any], auth: Any, depth: int) -> Iterator[tuple[dict[str, Any], Any]]:
    """Every request below a list of items, in order, with the authentication that holds for it."""
    for item in items:
        if not isinstance(item, dict) or depth > _MAX_DEPTH:
            continue
        own = item.get("auth") or auth
        if isinstance(item.get("item"), list):
            yield from _requests(item["item"], own, depth + 1)
        elif item.get("request"):
            yield item, own


def _variables(raw: Any) -> dict[str, str]:
    listed = raw if isinstance(raw, list) else []
    pairs = [(one.get("key") or one.get("id"), one.get("value")) for one in listed if isinstance(one, dict)]
    return {str(key): str(value) for key, value in pairs if key and value not in (None, "")}


def _exchange(item: dict[str, Any], auth: Any, source: str) -> Exchange:
    request = item["request"] if isinstance(item["request"], dict) else {"url": item["request"]}
    headers = _headers(request.get("header") or [])
    url = _url(request.get("url"))
    shown = request.get("auth") or auth
    headers += auth_headers(shown)
    if query := auth_query(shown):
        url += ("&" if "?" in url else "?") + query
    return Exchange(
        method=str(request.get("method") or "GET").upper(),
        url=url,
        headers=headers,
        body=_body(request.get("body") or {}, next((value for name, value in headers if name == "content-type"), "")),
        source=source,
        title=str(item.get("name") or ""),
        template=_template(request.get("url")),
    )


def _headers(fields: Any) -> list[tuple[str, str]]:
    """Headers as a list of objects, or as lines of one text."""
    if isinstance(fields, str):
        lines = (line.partition(":") for line in fields.splitlines() if ":" in line)
        return [(name.strip().lower(), value.strip()) for name, _, value in lines]
    used = (field for field in fields if isinstance(field, dict) and not field.get("disabled"))
    return [(str(field["key"]).lower(), str(field.get("value") or "")) for field in used]


def _url(url: Any) -> str:
    if not isinstance(url, dict):
        return str(url)
    raw = _raw(url)
    for variable in url.get("variable") or []:
        key, value = str(variable["key"]), str(variable.get("value") or f"{{{{{variable['key']}}}}}")
        raw = re.sub(rf"(?<=/):{re.escape(key)}(?!\w)", value.replace("\\", r"\\"), raw)
    return raw


def _raw(url: Mapping[str, Any]) -> str:
    """A URL in one text, which collections that programs made may have in parts alone."""
    if url.get("raw"):
        return str(url["raw"])
    host, path = (url.get(part) or "" for part in ("host", "path"))
    host = host if isinstance(host, str) else ".".join(map(str, host))
    if not isinstance(path, str):
        path = "/".join(str(one.get("value") if isinstance(one, dict) else one) for one in path)
    asked = (one for one in url.get("query") or [] if not one.get("disabled"))
    query = urlencode([(str(one["key"]), str(one.get("value") or "")) for one in asked], safe="{}$")
    scheme = "" if host.startswith("{{") else f"{url.get('protocol') or 'http'}://"
    port = f":{url['port']}" if url.get("port") else ""
    return f"{scheme}{host}{port}/{path.lstrip('/')}{'?' if query else ''}{query}"


def _template(url: Any) -> str:
    """The path of a URL with its variables by name, after the one that stands for the server: a collection says itself
    what of a path changes, so no other part of it is taken for an id because others differ there."""
    raw = _raw(url) if isinstance(url, dict) else str(url)
    raw, variables = (
        raw.partition("?")[0],
        [str(one["key"]) for one in (url.get("variable") or [])] if isinstance(url, dict) else [],
    )
    named = re.sub(r"(?<=/):(\w+)", lambda match: f"{{{match[1]}}}" if match[1] in variables else match[0], raw)
    base = _BASE.match(named)
    server = base[0] if base else ""
    return server + _VARIABLE.sub(lambda match: f"{{{match[1]}}}", named[len(server) :])


def _body(body: dict[str, Any], media_type: str) -> MessageBody:
    mode = body.get("mode")
    if mode == "raw":
        language = ((body.get("options") or {}).get("raw") or {}).get("language", "")
        return body_of(str(body.get("raw") or ""), media_type or _MEDIA_TYPES.get(language, ""))
    if mode == "graphql":
        query = body.get("graphql") or {}
        return body_of(_graphql(query), "application/json")
    if mode in ("urlencoded", "formdata"):
        fields = [one for one in body.get(mode) or [] if not one.get("disabled")]
        pairs = [(str(one["key"]), value) for one in fields for value in _values(one)]
        return MessageBody(FORM if mode == "urlencoded" else MULTIPART, pairs)
    return MessageBody()


def _values(field: Mapping[str, Any]) -> list[str]:
    """The value of a field, or the names of its files."""
    value = field.get("value") or field.get("src") or ""
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def _files(item: Json) -> Iterator[str]:
    """The files whose contents a request sends, which no collection holds."""
    body = item["request"].get("body") if isinstance(item["request"], dict) else None
    if not isinstance(body, dict):
        return
    if body.get("mode") == "file":
        file = body.get("file")
        yield str(file.get("src") or "a file") if isinstance(file, dict) else "a file"
    fields = body.get("formdata") if body.get("mode") == "formdata" else ()
    for field in fields if isinstance(fields, list) else ():
        if isinstance(field, dict) and field.get("type") == "file" and not field.get("disabled"):
            yield from _values(field)


def _graphql(query: dict[str, Any]) -> bytes:
    import orjson

    written, variables = query.get("variables") or "{}", {}
    # A variable of the collection without quotes is no JSON before it has its value.
    for text in (written, _BARE_VARIABLE.sub(r'"\g<0>"', written) if isinstance(written, str) else "{}"):
        with contextlib.suppress(orjson.JSONDecodeError):
            variables = orjson.loads(text) if isinstance(text, str) else text
            break
    named = {"operationName": query["operationName"]} if query.get("operationName") else {}
    return orjson.dumps({**named, "query": query.get("query") or "", "variables": variables})


def _filled(exchange: Exchange, variables: Mapping[str, str], unknown: set[str]) -> Exchange:
    """The exchange with the variables of the collection put in wherever they stand.

    A value, or a credential, that is nothing but a variable without a value is asked of the environment. Such a
    variable before the path is the server.
    """

    def fill(value: Any, *, alone: bool = True) -> Any:
        if isinstance(value, str):
            filled = _VARIABLE.sub(lambda match: variables.get(match[1], match[0]), value)
            missing = _VARIABLE.fullmatch(filled.removeprefix("Bearer ").strip()) if alone else None
            if missing:
                return filled.replace(missing[0], placeholder(snake(missing[1]).upper()))
            unknown.update(_VARIABLE.findall(filled))
            return filled
        if isinstance(value, list):
            return [fill(part) for part in value]
        if isinstance(value, tuple):
            return tuple(fill(part) for part in value)
        return {key: fill(part) for key, part in value.items()} if isinstance(value, dict) else value

    def served(url: str) -> str:
        base = _BASE.match(url)
        known = base is None or base[0].strip("{} ") in variables
        return str(fill(url if known or base is None else url[base.end() :] or "/", alone=False))

    template = without_ids(urlsplit(served(exchange.template)).path)
    body = replace(exchange.body, value=fill(exchange.body.value))
    headers = encoded_basic(fill(list(exchange.headers)))
    return replace(exchange, url=served(exchange.url), headers=headers, body=body, template=template)
