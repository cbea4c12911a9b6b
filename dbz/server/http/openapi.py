"""The OpenAPI document, made from the routes that the server runs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

import dbz
from dbz.server.http import Body, Call, Query, Reply, Route
from dbz.server.http.schemas import ERROR

_REFERENCE = "#/components/schemas/{model}"
MULTIPART = "multipart/form-data"
_PARAMETER = re.compile(r"{(\w+)}")


class OpenApi:
    """Serves the document of `routes`, its own route among them."""

    def __init__(self) -> None:
        self._document: dict[str, Any] = {}
        self.route = Route("GET", "/openapi.json", self.show, "This document", public=True)

    def describe(self, routes: Iterable[Route]) -> None:
        """Make the document."""
        self._document = document(list(routes))

    async def show(self, _call: Call) -> Reply:
        """GET /openapi.json."""
        return Reply(self._document)


def document(routes: list[Route]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of these routes."""
    bodies: list[type[Body]] = list(dict.fromkeys(route.body for route in routes if route.body is not None))
    _, schemas = models_json_schema([(model, "validation") for model in bodies], ref_template=_REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "dbz reference server", "version": dbz.__version__},
        "paths": paths,
        "components": {
            "schemas": {**schemas.get("$defs", {}), "Error": ERROR},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": f"{route.method.lower()}{re.sub(r'[^a-z0-9]+', '_', route.path.lower())}",
        "parameters": [*_path_parameters(route.path), *_query_parameters(route.query)],
        "responses": _responses(route),
        "security": [] if route.public else [{"bearer": []}],
    }
    if route.body is not None:
        schema = {"$ref": _REFERENCE.format(model=route.body.__name__)}
        required = any(field.is_required() for field in route.body.model_fields.values())
        operation["requestBody"] = {"required": required, "content": {"application/json": {"schema": schema}}}
    elif route.uploads:
        operation["requestBody"] = {
            "required": True,
            "content": {kind: {"schema": _file(kind)} for kind in route.uploads},
        }
    return operation


def _file(media_type: str) -> dict[str, Any]:
    """The schema of a file, by itself or as the one part of a form."""
    schema = {"type": "string", "format": "binary"}
    if media_type != MULTIPART:
        return schema
    return {"type": "object", "required": ["file"], "properties": {"file": schema}}


def _path_parameters(path: str) -> list[dict[str, Any]]:
    schema = {"type": "string", "minLength": 1}
    return [{"name": name, "in": "path", "required": True, "schema": schema} for name in _PARAMETER.findall(path)]


def _query_parameters(model: type[Query]) -> list[dict[str, Any]]:
    schema = _inlined(model)
    return [
        {"name": name, "in": "query", "required": False, "schema": _without_null(field)}
        for name, field in schema.get("properties", {}).items()
    ]


def _without_null(field: dict[str, Any]) -> dict[str, Any]:
    """A query parameter cannot be null: it is there or it is not."""
    choices = [choice for choice in field.get("anyOf", ()) if choice.get("type") != "null"]
    rest = {key: value for key, value in field.items() if key not in ("anyOf", "default", "title")}
    return {**rest, **(choices[0] if len(choices) == 1 else {})}


def _inlined(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(ref_template=_REFERENCE)


def _responses(route: Route) -> dict[str, Any]:
    responses = {str(status): _answer(route, schema) for status, schema in route.answers.items()}
    if route.cacheable and route.method == "GET":
        responses["304"] = {"description": "The tag of If-None-Match still holds."}
    refusals = set(route.refusals) | {422, 503}
    if not route.public or route.path.startswith("/api/auth"):
        refusals.add(401)
    if route.body is not None or route.uploads:
        refusals |= {400, 408, 413}
    if "{" in route.path or route.body is not None:
        refusals |= {403, 404}
    refused = {
        "description": "Refused.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    return {**{str(status): refused for status in sorted(refusals) if str(status) not in responses}, **responses}


def _answer(route: Route, schema: Any) -> dict[str, Any]:
    if schema is None:
        content = {kind: {"schema": {"type": "string"}} for kind in route.media_types}
        return {"description": "The content.", "content": content}
    return {"description": "The answer.", "content": {"application/json": {"schema": schema}}}
