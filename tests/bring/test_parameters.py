"""Parameters of descriptions: each written as OpenAPI 3.1 says for its style, and of a value that its schema allows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.bring.files.openapi.document import ApiDocument
from dbz.bring.files.openapi.examples import Examples
from dbz.bring.files.openapi.reading import read_openapi
from dbz.bring.files.openapi.styles import in_path, joined, pairs_of
from dbz.bring.recording import Exchange
from dbz.bring.script import script_of

LIST = ["blue", "black", "brown"]
OBJECT = {"R": 100, "G": 200, "B": 150}


@pytest.mark.parametrize(
    ("style", "explode", "value", "query"),
    [
        # The table of OpenAPI 3.1.0, section 4.8.12.4.
        ("form", False, LIST, [("color", "blue,black,brown")]),
        ("form", False, OBJECT, [("color", "R,100,G,200,B,150")]),
        ("form", True, LIST, [("color", "blue"), ("color", "black"), ("color", "brown")]),
        ("form", True, OBJECT, [("R", "100"), ("G", "200"), ("B", "150")]),
        ("spaceDelimited", False, LIST, [("color", "blue black brown")]),
        ("pipeDelimited", False, LIST, [("color", "blue|black|brown")]),
        ("deepObject", True, OBJECT, [("color[R]", "100"), ("color[G]", "200"), ("color[B]", "150")]),
    ],
)
def test_values_in_a_query(style: str, explode: bool, value: Any, query: list[tuple[str, str]]) -> None:
    assert pairs_of({"name": "color", "style": style, "explode": explode}, value) == query
    if style == "form":
        without = {"name": "color"} | ({} if explode else {"explode": False})
        assert pairs_of(without, value) == query, "what the document leaves out is form, exploded"


@pytest.mark.parametrize(
    ("style", "explode", "value", "text"),
    [
        ("simple", False, LIST, "blue,black,brown"),
        ("simple", False, OBJECT, "R,100,G,200,B,150"),
        ("simple", True, OBJECT, "R=100,G=200,B=150"),
        ("label", False, "blue", ".blue"),
        ("label", True, LIST, ".blue.black.brown"),
        ("label", True, OBJECT, ".R=100.G=200.B=150"),
        ("matrix", False, "blue", ";color=blue"),
        ("matrix", False, LIST, ";color=blue,black,brown"),
        ("matrix", True, LIST, ";color=blue;color=black;color=brown"),
        ("matrix", False, OBJECT, ";color=R,100,G,200,B,150"),
        ("matrix", True, OBJECT, ";R=100;G=200;B=150"),
    ],
)
def test_values_in_a_path_and_a_header(style: str, explode: bool, value: Any, text: str) -> None:
    parameter = {"name": "color", "style": style, "explode": explode}
    assert in_path(parameter, value) == text
    if style == "simple":
        assert joined(parameter, value) == text


@pytest.mark.parametrize(
    ("form", "query"),
    [
        ("csv", [("a", "1,2")]),
        ("ssv", [("a", "1 2")]),
        ("pipes", [("a", "1|2")]),
        ("multi", [("a", "1"), ("a", "2")]),
    ],
)
def test_lists_of_swagger_2(form: str, query: list[tuple[str, str]]) -> None:
    assert pairs_of({"name": "a", "collectionFormat": form}, [1, 2]) == query


def request_with(parameters: list[dict[str, Any]], **operation: Any) -> Exchange:
    """The request of an operation with these parameters."""
    told = {"parameters": parameters, "responses": {"200": {"description": "ok"}}} | operation
    tree = {"openapi": "3.1.0", "paths": {"/things": {"post": told}}, "components": COMPONENTS}
    return read_openapi(tree, "api").exchanges[0]


COMPONENTS = {
    "schemas": {
        "Card": {"type": "object", "required": ["kind"], "properties": {"kind": {"type": "string"}}},
        "Bank": {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "bank"}}},
    }
}


def test_cookies_and_parameters_that_are_json_are_sent() -> None:
    point = {"type": "object", "required": ["x"], "properties": {"x": {"const": 7}}}
    sent = request_with([
        {"name": "at", "in": "query", "required": True, "content": {"application/json": {"schema": point}}},
        {"name": "tenant", "in": "cookie", "required": True, "schema": {"enum": ["club"]}},
        {"name": "lang", "in": "cookie", "required": True, "example": "en"},
    ])  # fmt: skip
    assert sent.url.endswith("?at=%7B%22x%22%3A7%7D")
    assert sent.header("cookie") == "tenant=club; lang=en"


def test_a_cookie_that_is_a_credential_is_sent_once() -> None:
    schemes = {"session": {"type": "apiKey", "in": "cookie", "name": "sid"}}
    told = {"security": [{"session": []}], "responses": {}, "parameters": [{"name": "sid", "in": "cookie"}]}
    told["parameters"][0] |= {"required": True, "schema": {"type": "string"}}
    tree = {"openapi": "3.1.0", "paths": {"/a": {"get": told}}, "components": {"securitySchemes": schemes}}
    cookie = read_openapi(tree, "api").exchanges[0].header("cookie")
    assert cookie.startswith("sid=<") and cookie.count("sid=") == 1


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"discriminator": {"propertyName": "kind"}}, "Card"),
        ({"discriminator": {"propertyName": "kind", "mapping": {"card": "#/components/schemas/Card"}}}, "card"),
        ({"discriminator": {"propertyName": "kind", "mapping": {"c": "Card"}}}, "c"),
        ({}, "text"),
        ({"discriminator": 5}, "text"),
    ],
)
def test_one_of_several_schemas_is_named_as_its_discriminator_says(schema: dict[str, Any], kind: str) -> None:
    several = schema | {"oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("Card", "Bank")]}
    sent = request_with([], requestBody={"content": {"application/json": {"schema": several}}})
    assert sent.body.value == {"kind": kind}
    several["oneOf"].reverse()
    sent = request_with([], requestBody={"content": {"application/json": {"schema": several}}})
    assert sent.body.value == {"kind": "bank"}, "the schema itself has said it"


@given(
    low=st.none() | st.integers(-50, 50),
    above=st.none() | st.booleans() | st.integers(-50, 50),
    step=st.none() | st.integers(1, 9),
)
def test_a_number_fits_its_bounds(low: int | None, above: Any, step: int | None) -> None:
    schema = {"type": "integer", "minimum": low, "exclusiveMinimum": above, "multipleOf": step}
    given_bounds = {key: value for key, value in schema.items() if value is not None}
    value = Examples(ApiDocument({"openapi": "3.1.0"}, "api")).value_of({"schema": given_bounds})
    assert isinstance(value, int) and (not step or value % step == 0)
    assert low is None or (value > low if above is True else value >= low)
    assert isinstance(above, bool) or above is None or value > above


def test_a_list_has_as_many_items_as_it_must() -> None:
    schema = {"type": "array", "minItems": 3, "items": {"type": "integer", "maximum": 0}}
    sent = request_with([], requestBody={"content": {"application/json": {"schema": schema}}})
    assert sent.body.value == [0, 0, 0]


def test_a_path_may_have_servers_of_its_own() -> None:
    told = {"responses": {"200": {"description": "ok"}}}
    main = "http://127.0.0.1:8080"
    tree = {
        "openapi": "3.1.0",
        "servers": [{"url": f"{main}/v1"}],
        "paths": {
            "/a": {"get": told},
            "/b": {"get": told, "servers": [{"url": "/v2/"}]},
            "/c": {"get": told | {"servers": [{"url": f"{main}/v{{n}}", "variables": {"n": {"default": 3}}}]}},
            "/d": {"get": told, "servers": [{"url": "https://files.example/up"}]},
        },
    }
    recording = read_openapi(tree, "api")
    assert [one.url for one in recording.exchanges] == [
        f"{main}/v1/a", f"{main}/v2/b", f"{main}/v3/c", "https://files.example/up/d",
    ]  # fmt: skip
    assert [one.template for one in recording.exchanges] == ["/v1/a", "/v2/b", "/v3/c", "/up/d"]
    script = script_of(recording)
    assert script.origin == main and "other servers are left out: files.example" in " ".join(script.notes)
