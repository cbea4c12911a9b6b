"""Bodies in XML: the example of a schema as elements, whose names are those of its properties."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape

from dbz.bring.files.openapi.document import Json
from dbz.bring.files.openapi.examples import text_of

_ROOT = "root"
_NO_NAME = re.compile(r"[^\w.-]|^(?=[\d.-])")


def xml_of(name: str, value: Any) -> str:
    """A value as an element: an object has an element for each property, a list one for each of its items."""
    return "".join(_elements(name, value))


def root_name(schema: Any, followed: Json) -> str:
    """What the outermost element is called: as `xml.name` says, else as the schema itself is."""
    xml = followed.get("xml")
    named = xml.get("name") if isinstance(xml, dict) else ""
    reference = str(schema.get("$ref") or "") if isinstance(schema, dict) else ""
    return str(named or reference.rpartition("/")[2] or _ROOT)


def _elements(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _elements(name, item)
        return
    tag = _NO_NAME.sub("_", name) or "_"
    parts = value.items() if isinstance(value, dict) else ()
    inner = "".join(text for key, part in parts for text in _elements(str(key), part))
    yield f"<{tag}>{inner if isinstance(value, dict) else escape(text_of(value))}</{tag}>"
