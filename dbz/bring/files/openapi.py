"""OpenAPI 3.x and Swagger 2 documents: each operation as a request, filled with examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from dbz.bring.recording import FORM, JSON, MULTIPART, PLACEHOLDER, TEXT, Exchange, MessageBody, Recording
from dbz.errors import UsageError

METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
_MAX_DEPTH = 12
"""Schemas that refer to themselves are followed this far."""
_MAX_REFERENCES = 50
_BY_FORMAT = {
    "date": "2026-01-31", "date-time": "2026-01-31T12:00:00Z", "uuid": "00000000-0000-4000-8000-000000000001",
    "email": "someone@example.org",
    "uri": "https://example.org/", "ipv4": "192.0.2.1", "byte": "ZGJ6", "password": "password",
}  # fmt: skip


def read_openapi(document: Mapping[str, Any], source: str) -> Recording:
    """A request for every operation, in the order of the document.

    Parameters and bodies are the document's examples, else its defaults, else values that fit the schema. `UsageError`
    for a document without paths and for references to other documents, which are never fetched.
    """
    paths = document.get("paths")
    if not isinstance(paths, dict) or not paths:
        raise UsageError(f"{source}: the document has no paths")
    reader = _DocumentReader(document, source)
    recording = Recording(recorded=False, origin=reader.origin())
    for path, item in paths.items():
        operations = reader.followed(item)
        shared = operations.get("parameters") or []
        for method in METHODS:
            if isinstance(operations.get(method), dict):
                recording.exchanges.append(reader.exchange(str(path), method, operations[method], shared))
    if not recording.exchanges:
        raise UsageError(f"{source}: the document has paths, but no operations")
    if not recording.origin:
        recording.notes.append(f"{source}: the document names no server: say --target URL")
    return recording


class _DocumentReader:
    """One document, with its references followed."""

    def __init__(self, document: Mapping[str, Any], source: str) -> None:
        self._document = document
        self._source = source
        self._old = "swagger" in document

    def origin(self) -> str:
        """The first server; empty when there is none, or it is only a path."""
        if self._old:
            host, schemes = self._document.get("host"), self._document.get("schemes") or ["https"]
            return f"{schemes[0]}://{host}" if host else ""
        url = self._base_url()
        return "/".join(url.split("/")[:3]) if "://" in url else ""

    def _base_url(self) -> str:
        servers = self._document.get("servers")
        first = servers[0] if isinstance(servers, list) and servers and isinstance(servers[0], dict) else {}
        url = str(first.get("url") or "")
        for name, variable in (first.get("variables") or {}).items():
            url = url.replace(f"{{{name}}}", str(variable.get("default", "")))
        return url

    def _prefix(self) -> str:
        if self._old:
            return str(self._document.get("basePath") or "").rstrip("/")
        url = self._base_url()
        path = "/" + "/".join(url.split("/")[3:]) if "://" in url else url
        return path.rstrip("/")

    def exchange(self, path: str, method: str, operation: dict[str, Any], shared: list[Any]) -> Exchange:
        """The request of one operation."""
        parameters = self._parameters([*shared, *(operation.get("parameters") or [])])
        query, headers = [], list(self._auth_headers(operation))
        form: list[tuple[str, str]] = []
        for parameter in parameters.values():
            name, place = str(parameter.get("name")), parameter.get("in")
            if place != "path" and not (parameter.get("required") or _has_example(parameter)):
                continue
            value = self._value_of(parameter)
            if place == "path":
                path = path.replace(f"{{{name}}}", quote(_text(value), safe=""))
            elif place == "query":
                query.append((name, _text(value)))
            elif place == "header":
                headers.append((name.lower(), _text(value)))
            elif place == "formData":
                form.append((name, _text(value)))
        url = self.origin() + self._prefix() + path + (f"?{urlencode(query)}" if query else "")
        body = MessageBody(FORM, form) if form else self._body(operation, parameters)
        title = str(operation.get("operationId") or operation.get("summary") or "")
        return Exchange(method.upper(), url, headers, body, self._expected(operation), source=self._source, title=title)

    def _parameters(self, listed: list[Any]) -> dict[tuple[str, str], dict[str, Any]]:
        """Parameters by name and place: those of an operation win over those of its path."""
        followed = (self.followed(parameter) for parameter in listed)
        return {(str(one.get("name")), str(one.get("in"))): one for one in followed}

    def _body(self, operation: dict[str, Any], parameters: Mapping[tuple[str, str], dict[str, Any]]) -> MessageBody:
        if self._old:
            bodies = [one for one in parameters.values() if one.get("in") == "body"]
            return (
                MessageBody(JSON, self._example(bodies[0].get("schema") or {}), "application/json")
                if bodies
                else MessageBody()
            )
        content = self.followed(operation.get("requestBody") or {}).get("content") or {}
        for media_type in sorted(content, key=lambda name: "json" not in name):
            media = self.followed(content[media_type])
            value = self._value_of(media)
            if "json" in media_type:
                return MessageBody(JSON, value, media_type)
            if media_type in ("application/x-www-form-urlencoded", "multipart/form-data") and isinstance(value, dict):
                pairs = [(str(key), _text(part)) for key, part in value.items()]
                return MessageBody(FORM if media_type.endswith("urlencoded") else MULTIPART, pairs, media_type)
            return MessageBody(TEXT, _text(value), media_type)
        return MessageBody()

    def _auth_headers(self, operation: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """What the first way to authenticate asks for; tokens and keys stay open."""
        needed = operation.get("security", self._document.get("security")) or []
        schemes = (self._document.get("components") or {}).get("securitySchemes") or {}
        schemes = schemes or self._document.get("securityDefinitions") or {}
        for name in needed[0] if needed and isinstance(needed[0], dict) else ():
            scheme = self.followed(schemes.get(name) or {})
            kind = str(scheme.get("type") or "").lower()
            if kind == "apikey" and scheme.get("in") == "header":
                yield str(scheme.get("name") or "x-api-key").lower(), PLACEHOLDER
            elif kind == "basic" or str(scheme.get("scheme") or "").lower() == "basic":
                yield "authorization", f"Basic {PLACEHOLDER}"
            elif kind in ("http", "oauth2", "openidconnect"):
                yield "authorization", f"Bearer {PLACEHOLDER}"

    @staticmethod
    def _expected(operation: dict[str, Any]) -> int:
        codes = [str(code) for code in operation.get("responses") or {}]
        return next((int(code) for code in codes if code.isdigit() and code.startswith("2")), 0)

    def _value_of(self, holder: dict[str, Any]) -> Any:
        """The value of a parameter or a body: its example, one of its examples, or one that fits its schema."""
        if "example" in holder:
            return holder["example"]
        for example in (holder.get("examples") or {}).values() if isinstance(holder.get("examples"), dict) else ():
            return self.followed(example).get("value")
        if "x-example" in holder:
            return holder["x-example"]
        return self._example(holder.get("schema") or (holder if self._old else {}))

    def _example(self, schema: Any, around: Sequence[str] = ()) -> Any:
        """A value that fits a schema; None where the schema refers to one of those `around` it, or goes too deep."""
        reference = str(schema.get("$ref") or "") if isinstance(schema, dict) else ""
        if (reference and reference in around) or len(around) > _MAX_DEPTH:
            return None
        around = [*around, reference]
        schema = self.followed(schema)
        for key in ("example", "default", "const"):
            if key in schema:
                return schema[key]
        for key in ("examples", "enum"):
            if isinstance(schema.get(key), list) and schema[key]:
                return schema[key][0]
        if schema.get("allOf"):
            parts = [self._example(part, around) for part in schema["allOf"]]
            return {key: value for part in parts if isinstance(part, dict) for key, value in part.items()}
        for key in ("oneOf", "anyOf"):
            if schema.get(key):
                return self._example(schema[key][0], around)
        return self._plain_example(schema, around)

    def _plain_example(self, schema: dict[str, Any], around: Sequence[str]) -> Any:
        kind = schema.get("type")
        kind = next((name for name in kind if name != "null"), "null") if isinstance(kind, list) else kind
        if kind == "object" or "properties" in schema:
            properties = schema.get("properties") or {}
            needed = schema.get("required") or list(properties)
            filled = {name: self._example(properties[name], around) for name in needed if name in properties}
            return {name: value for name, value in filled.items() if value is not None}
        if kind == "array":
            item = self._example(schema.get("items") or {}, around)
            return [] if item is None else [item]
        if kind in ("integer", "number"):
            return schema.get("minimum", 1)
        if kind == "boolean":
            return True
        text = _BY_FORMAT.get(str(schema.get("format")), "text")
        return text.ljust(int(schema.get("minLength") or 0), "x")[: int(schema.get("maxLength") or 10_000)]

    def followed(self, part: Any) -> dict[str, Any]:
        """What a reference leads to; `UsageError` when it leads out of the document, nowhere, or round in circles."""
        for _ in range(_MAX_REFERENCES):
            if not isinstance(part, dict):
                return {}
            reference = part.get("$ref")
            if not isinstance(reference, str):
                return part
            if not reference.startswith("#/"):
                raise UsageError(
                    f"{self._source}: $ref '{reference}' leads to another document, which is not fetched",
                    hint="bundle the document into one file first",
                )
            part = self._at(reference)
        raise UsageError(f"{self._source}: the references at '{reference}' go round in a circle")

    def _at(self, reference: str) -> Any:
        place: Any = self._document
        for key in reference[2:].split("/"):
            name = key.replace("~1", "/").replace("~0", "~")
            if not isinstance(place, dict) or name not in place:
                raise UsageError(f"{self._source}: $ref '{reference}' leads nowhere")
            place = place[name]
        return place


def _has_example(parameter: dict[str, Any]) -> bool:
    return any(key in parameter for key in ("example", "examples", "x-example"))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(_text, value)) if isinstance(value, list) else str(value)
