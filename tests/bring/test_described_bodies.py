"""Bodies and paths of descriptions that say little: XML, examples elsewhere, any media type, parameters left out."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from dbz.bring.files.openapi.reading import read_openapi
from dbz.bring.files.openapi.xml_bodies import xml_of
from dbz.bring.recording import JSON, TEXT, Exchange

PET = {
    "type": "object",
    "required": ["name", "tags"],
    "properties": {
        "name": {"type": "string", "example": "a<b&c"},
        "tags": {"type": "array", "minItems": 2, "items": {"type": "integer", "example": 7}},
    },
}


def posted(media_type: str, media: dict[str, Any], **components: Any) -> Exchange:
    """The request of a document that describes one body."""
    operation = {"requestBody": {"content": {media_type: media}}, "responses": {"200": {}}}
    tree = {"openapi": "3.1.0", "servers": [{"url": "http://h"}], "paths": {"/a": {"post": operation}}}
    (exchange,) = read_openapi(tree | {"components": {"schemas": components}}, "it").exchanges
    return exchange


def test_xml_is_made_of_a_schema() -> None:
    body = posted("application/xml", {"schema": {"$ref": "#/components/schemas/Pet"}}, Pet=PET).body
    root = ElementTree.fromstring(body.value)
    assert (body.kind, body.media_type, root.tag, root.findtext("name")) == (TEXT, "application/xml", "Pet", "a<b&c")
    assert [one.text for one in root.iter("tags")][:1] == ["7"]
    named = posted("text/xml", {"schema": PET | {"xml": {"name": "animal"}}}).body.value
    assert ElementTree.fromstring(named).tag == "animal"
    assert posted("application/xml", {"example": "<own/>"}).body.value == "<own/>"


SCALARS = st.integers() | st.booleans() | st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")))


@given(
    st.recursive(
        SCALARS,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text("aZ9 .-_é가<&:", max_size=5), inner, max_size=3)
        ),
        max_leaves=10,
    )
)
def test_what_is_made_of_any_value_is_xml(value: Any) -> None:
    ElementTree.fromstring(f"<around>{xml_of('root', value)}</around>")


def test_an_example_that_lies_elsewhere_leaves_what_fits_the_schema() -> None:
    media = {"examples": {"one": {"externalValue": "http://x/e.json"}}, "schema": PET}
    assert posted("application/json", media).body.value["name"] == "a<b&c"


def test_any_media_type_is_json() -> None:
    body = posted("*/*", {"schema": PET}).body
    assert (body.kind, body.media_type) == (JSON, "application/json")


def test_a_parameter_of_a_path_that_is_not_described_has_a_value_all_the_same() -> None:
    tree = {"openapi": "3.0.0", "servers": [{"url": "http://h"}], "paths": {"/a/{x}/b": {"get": {"responses": {}}}}}
    (exchange,) = read_openapi(tree, "it").exchanges
    assert "{" not in exchange.path and exchange.template == "/a/{x}/b"
