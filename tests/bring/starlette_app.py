"""A club app in Starlette as somebody else would write it: its document shows a login, lists, and what they hold.

Started with `granian --interface asgi tests.bring.starlette_app:app`; POST /faults {"errors": 0.01} makes that share of
the requests fail from then on.
"""

from __future__ import annotations

import random
import secrets
from itertools import count
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

CLUBS: dict[str, str] = {f"club-{name}": name for name in ("north", "south", "harbour")}
TOKENS: set[str] = set()
FAULTS = {"errors": 0.0}
NUMBERS = count(1)


def known(request: Request) -> bool:
    """Whether somebody has logged in."""
    return request.headers.get("authorization", "").removeprefix("Bearer ") in TOKENS


def guarded(answer: Any) -> Any:
    """A handler that answers those who have logged in, but for the faults that were asked for."""

    async def handler(request: Request) -> Response:
        if random.random() < FAULTS["errors"]:
            return JSONResponse({"detail": "boom"}, 500)
        if not known(request):
            return JSONResponse({"detail": "log in first"}, 401)
        return await answer(request)  # type: ignore[no-any-return]

    return handler


async def log_in(request: Request) -> Response:
    asked = await request.json()
    if (asked.get("name"), asked.get("password")) != ("ann", "court5"):
        return JSONResponse({"detail": "no"}, 401)
    token = secrets.token_hex(8)
    TOKENS.add(token)
    return JSONResponse({"token": token, "member": {"id": 1}})


async def log_out(request: Request) -> Response:
    TOKENS.discard(request.headers.get("authorization", "").removeprefix("Bearer "))
    return Response(status_code=204)


async def list_clubs(_: Request) -> Response:
    return JSONResponse({"clubs": [{"slug": slug, "name": name} for slug, name in CLUBS.items()], "total": len(CLUBS)})


async def make_club(request: Request) -> Response:
    slug = f"club-{next(NUMBERS)}"
    CLUBS[slug] = (await request.json())["name"]
    return JSONResponse({"slug": slug, "name": CLUBS[slug]}, 201)


async def club(request: Request) -> Response:
    slug = request.path_params["slug"]
    if slug not in CLUBS:
        return JSONResponse({"detail": "there is no such club"}, 404)
    if request.method == "DELETE":
        del CLUBS[slug]
        return Response(status_code=204)
    return JSONResponse({"slug": slug, "name": CLUBS[slug]})


async def status(_: Request) -> Response:
    return JSONResponse({"ok": True})


async def faults(request: Request) -> Response:
    FAULTS.update(await request.json())
    return JSONResponse(FAULTS)


def _told(schema: dict[str, Any], code: str = "200") -> dict[str, Any]:
    return {code: {"description": "fine", "content": {"application/json": {"schema": schema}}}}


def _sent(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}


_TEXT = {"type": "string"}
_CLUB = {"$ref": "#/components/schemas/Club"}
_SLUG = {"name": "slug", "in": "path", "required": True, "schema": _TEXT}
_LOGIN = {
    "type": "object",
    "required": ["name", "password"],
    "properties": {"name": {"type": "string", "example": "ann"}, "password": _TEXT},
}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Clubs", "version": "1"},
    "security": [{"bearer": []}],
    "components": {
        "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        "schemas": {"Club": {"type": "object", "required": ["name"], "properties": {
            "slug": {"type": "string", "readOnly": True}, "name": {"type": "string", "example": "west"}}}},
    },
    "paths": {
        "/login": {"post": {
            "security": [], "requestBody": _sent(_LOGIN),
            "responses": _told({"type": "object", "properties": {"token": _TEXT, "member": {"type": "object"}}}),
        }},
        "/logout": {"post": {"responses": {"204": {"description": "gone"}}}},
        "/status": {"get": {"security": [], "responses": _told({"type": "object"})}},
        "/clubs": {
            "get": {"responses": _told({"type": "object", "properties": {"clubs": {"type": "array", "items": _CLUB}}})},
            "post": {"requestBody": _sent(_CLUB), "responses": _told(_CLUB, "201")},
        },
        "/clubs/{slug}": {
            "parameters": [_SLUG],
            "get": {"responses": _told(_CLUB)},
            "delete": {"responses": {"204": {"description": "gone"}}},
        },
    },
}  # fmt: skip


async def document(_: Request) -> Response:
    return JSONResponse(DOCUMENT)


app = Starlette(
    routes=[
        Route("/openapi.json", document),
        Route("/status", status),
        Route("/faults", faults, methods=["POST"]),
        Route("/login", log_in, methods=["POST"]),
        Route("/logout", guarded(log_out), methods=["POST"]),
        Route("/clubs", guarded(list_clubs)),
        Route("/clubs", guarded(make_club), methods=["POST"]),
        Route("/clubs/{slug}", guarded(club), methods=["GET", "DELETE"]),
    ]
)
