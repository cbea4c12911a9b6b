"""Postman collections, versions 2.0 and 2.1: requests in folders, with variables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from dbz.bring.recording import FORM, MULTIPART, Exchange, MessageBody, Recording, body_of
from dbz.errors import UsageError

_VARIABLE = re.compile(r"\{\{\s*([\w.$-]+)\s*\}\}")
_MAX_DEPTH = 30
_MEDIA_TYPES = {"json": "application/json", "xml": "application/xml", "html": "text/html", "text": "text/plain"}


def read_postman(document: Any, source: str) -> Recording:
    """The requests of a collection, with its own variables put in; `UsageError` when it is none."""
    items = document.get("item")
    if not isinstance(items, list):
        raise UsageError(f"{source}: a Postman collection has a list 'item'")
    variables = _variables(document.get("variable"))
    recording = Recording(recorded=False)
    unknown: set[str] = set()
    for item, auth in _requests(items, document.get("auth"), 0):
        try:
            exchange = _exchange(item, auth, source)
        except (KeyError, TypeError, AttributeError):
            recording.notes.append(f"{source}: the request '{item.get('name', '?')}' cannot be read, and is left out")
            continue
        recording.exchanges.append(_filled(exchange, variables, unknown))
    if unknown:
        names = ", ".join(sorted(unknown))
        recording.notes.append(f"{source}: variables without a value in the collection stay as they are: {names}")
    return recording


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
    headers = [
        (str(field["key"]).lower(), str(field.get("value") or ""))
        for field in request.get("header") or []
        if isinstance(field, dict) and not field.get("disabled")
    ]
    headers += _auth_headers(request.get("auth") or auth)
    return Exchange(
        method=str(request.get("method") or "GET").upper(),
        url=_url(request.get("url")),
        headers=headers,
        body=_body(request.get("body") or {}),
        source=source,
        title=str(item.get("name") or ""),
    )


def _url(url: Any) -> str:
    if not isinstance(url, dict):
        return str(url)
    raw = str(url.get("raw") or "")
    for variable in url.get("variable") or []:
        raw = raw.replace(f":{variable['key']}", str(variable.get("value") or f"{{{{{variable['key']}}}}}"))
    return raw


def _auth_headers(auth: Any) -> list[tuple[str, str]]:
    kind = auth.get("type") if isinstance(auth, dict) else None
    if kind == "bearer":
        return [("authorization", f"Bearer {_setting(auth['bearer'], 'token')}")]
    if kind == "apikey" and _setting(auth["apikey"], "in") != "query":
        return [(_setting(auth["apikey"], "key").lower(), _setting(auth["apikey"], "value"))]
    return []


def _setting(settings: Any, key: str) -> str:
    if isinstance(settings, dict):
        return str(settings.get(key) or "")
    return next((str(one.get("value") or "") for one in settings if one.get("key") == key), "")


def _body(body: dict[str, Any]) -> MessageBody:
    mode = body.get("mode")
    if mode == "raw":
        language = ((body.get("options") or {}).get("raw") or {}).get("language", "")
        return body_of(str(body.get("raw") or ""), _MEDIA_TYPES.get(language, ""))
    if mode == "graphql":
        query = body.get("graphql") or {}
        return body_of(_graphql(query), "application/json")
    if mode in ("urlencoded", "formdata"):
        fields = [one for one in body.get(mode) or [] if not one.get("disabled")]
        pairs = [(str(one["key"]), str(one.get("value") or one.get("src") or "")) for one in fields]
        return MessageBody(FORM if mode == "urlencoded" else MULTIPART, pairs)
    return MessageBody()


def _graphql(query: dict[str, Any]) -> bytes:
    import orjson

    try:
        variables = orjson.loads(query.get("variables") or "{}")
    except orjson.JSONDecodeError:
        variables = {}
    return orjson.dumps({"query": query.get("query") or "", "variables": variables})


def _filled(exchange: Exchange, variables: Mapping[str, str], unknown: set[str]) -> Exchange:
    """The exchange with the variables of the collection put in wherever they stand."""
    from dataclasses import replace

    def fill(value: Any) -> Any:
        if isinstance(value, str):
            unknown.update(name for name in _VARIABLE.findall(value) if name not in variables)
            return _VARIABLE.sub(lambda match: variables.get(match[1], match[0]), value)
        if isinstance(value, list):
            return [fill(part) for part in value]
        if isinstance(value, tuple):
            return tuple(fill(part) for part in value)
        return {key: fill(part) for key, part in value.items()} if isinstance(value, dict) else value

    body = replace(exchange.body, value=fill(exchange.body.value))
    return replace(exchange, url=fill(exchange.url), headers=fill(list(exchange.headers)), body=body)
