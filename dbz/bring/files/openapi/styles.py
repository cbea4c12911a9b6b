"""How the value of a parameter stands in a URL or a header: by its `style` and `explode`, or by Swagger's format."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from dbz.bring.files.openapi.document import Json
from dbz.bring.files.openapi.examples import text_of

_DELIMITERS = {"spaceDelimited": " ", "pipeDelimited": "|", "ssv": " ", "tsv": "\t", "pipes": "|"}
_PREFIXES = {"label": ".", "matrix": ";"}


def pairs_of(parameter: Json, value: Any) -> list[tuple[str, str]]:
    """The names and texts of a parameter in a query, or in a form of Swagger 2."""
    name = str(parameter.get("name"))
    style, apart = _style(parameter, "form")
    if style == "deepObject" and isinstance(value, Mapping):
        return [(f"{name}[{key}]", text_of(inner)) for key, inner in value.items()]
    if apart and isinstance(value, Mapping):
        return [(str(key), text_of(inner)) for key, inner in value.items()]
    if apart and isinstance(value, list):
        return [(name, text_of(item)) for item in value]
    return [(name, _DELIMITERS.get(style, ",").join(_flat(value)))]


def joined(parameter: Json, value: Any) -> str:
    """The text of a parameter in a header or a cookie."""
    _, apart = _style(parameter, "simple")
    return ",".join(_members(value) if apart and isinstance(value, Mapping) else _flat(value))


def in_path(parameter: Json, value: Any) -> str:
    """The text of a parameter in a path, as it stands in a URL."""
    style, apart = _style(parameter, "simple")
    prefix, name = _PREFIXES.get(style, ""), quote(str(parameter.get("name")), safe="")
    texts = [quote(text, safe="=") for text in _members(value)] if apart and isinstance(value, Mapping) else [
        quote(text, safe="") for text in _flat(value)
    ]  # fmt: skip
    if style != "matrix":
        return prefix + (prefix if apart and prefix else ",").join(texts)
    if apart:
        texts = texts if isinstance(value, Mapping) else [f"{name}={text}" for text in texts]
        return "".join(f";{text}" for text in texts)
    return f";{name}={','.join(texts)}"


def _style(parameter: Json, otherwise: str) -> tuple[str, bool]:
    """How values are written, and whether each stands apart."""
    old = parameter.get("collectionFormat")
    style = str(old or parameter.get("style") or otherwise)
    return style, style == "multi" or bool(parameter.get("explode", style == "form"))


def _flat(value: Any) -> Sequence[str]:
    """The parts of a value one after the other: of an object its names and values in turn."""
    if isinstance(value, Mapping):
        return [text_of(part) for pair in value.items() for part in pair]
    return [text_of(item) for item in value] if isinstance(value, list) else [text_of(value)]


def _members(value: Mapping[str, Any]) -> Sequence[str]:
    return [f"{text_of(key)}={text_of(inner)}" for key, inner in value.items()]


def described(parameter: Json) -> tuple[Json, bool]:
    """What describes the value of a parameter, which may be of a media type, and whether it is sent as JSON."""
    content = parameter.get("content")
    if isinstance(content, dict) and content:
        media_type, media = next(iter(content.items()))
        if isinstance(media, dict):
            return media, "json" in str(media_type)
    return parameter, False


def as_json(value: Any) -> str:
    """A value in a parameter that is JSON itself."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
