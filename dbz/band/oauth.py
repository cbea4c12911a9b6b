"""The pages and endpoints of OAuth 2: authorization code with PKCE, refresh, revocation (RFC 6749, 7636, 7009)."""

from __future__ import annotations

import base64
import binascii
import hmac
import html
import time
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from dbz.band.answers import json_response
from dbz.band.community import Community
from dbz.band.grants import Granted, GrantError, Grants
from dbz.hosts import is_loopback

_SCOPE = "READ_ALBUM READ_MEMBER READ_PHOTO"
_SHOWN = 5
_MAX_FORM_BYTES = 16_384


class OAuth:
    """The authorization server."""

    def __init__(self, grants: Grants, community: Community) -> None:
        self._grants = grants
        self._community = community

    def routes(self) -> list[Route]:
        """Its routes."""
        return [
            Route("/oauth2/authorize", self.authorize, methods=["GET"]),
            Route("/oauth2/token", self.token, methods=["GET", "POST"]),
            Route("/oauth2/revoke", self.revoke, methods=["POST"]),
        ]

    async def authorize(self, request: Request) -> Response:
        """A page that asks who agrees; with `user_key` (or `deny`) in the query the answer to it, a redirect."""
        asked = dict(request.query_params)
        problem = self._problem(asked)
        if problem:
            return HTMLResponse(f"<!doctype html><title>Band</title><p>{html.escape(problem)}</p>", 400)
        if "deny" in asked:
            return self._back(asked, {"error": "access_denied"})
        user_key = asked.get("user_key", "")
        if not user_key:
            return HTMLResponse(self._page(asked))
        if not self._community.bands_of(user_key):
            return HTMLResponse("<!doctype html><title>Band</title><p>Band knows no such user.</p>", 404)
        code = self._grants.authorize(user_key, asked["redirect_uri"], asked.get("code_challenge", ""))
        return self._back(asked, {"code": code})

    def _problem(self, asked: dict[str, str]) -> str:
        if asked.get("response_type") != "code":
            return "response_type must be code"
        if asked.get("client_id") != self._grants.client.id:
            return "no app with this client_id is registered"
        if not self._may_go_to(asked.get("redirect_uri", "")):
            return "the redirect_uri is not one of the app"
        if "code_challenge" in asked and asked.get("code_challenge_method") != "S256":
            return "code_challenge_method must be S256"
        return ""

    def _may_go_to(self, address: str) -> bool:
        try:
            parts = urlsplit(address)
            known = [urlsplit(redirect).netloc for redirect in self._grants.client.redirects]
            wanted = parts.netloc in known if known else is_loopback(parts.hostname or "")
        except ValueError:
            return False
        return parts.scheme in ("http", "https") and wanted

    def _back(self, asked: dict[str, str], answer: dict[str, str]) -> Response:
        if "state" in asked:
            answer["state"] = asked["state"]
        joint = "&" if urlsplit(asked["redirect_uri"]).query else "?"
        headers = {"cache-control": "no-store", "referrer-policy": "no-referrer"}
        return RedirectResponse(f"{asked['redirect_uri']}{joint}{urlencode(answer)}", 302, headers)

    def _page(self, asked: dict[str, str]) -> str:
        hidden = "".join(
            f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
            for name, value in asked.items()
        )
        people = [
            (row["user_key"], f"{row['name']}, {row['role']} of {self._community.bands[band]}")
            for band, shelf in self._community.members.items()
            for row in list(shelf.living().values())[:_SHOWN]
        ]
        buttons = "".join(
            f'<p><button name="user_key" value="{key}">{html.escape(text)}</button>' for key, text in people
        )
        return (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Band, the stand-in</title>'
            "<style>body{font:16px system-ui;max-width:40em;margin:3em auto;padding:0 1em}"
            "button{font:inherit;padding:.4em 1em;width:100%;text-align:left}</style>"
            f"<h1>Band, the stand-in</h1><p>{html.escape(asked['client_id'])} wants to read bands, members and photos. "
            f'Who agrees?<form method="get" action="/oauth2/authorize">{hidden}{buttons}'
            '<p><button name="deny" value="1">Nobody: refuse</button></form></html>'
        )

    async def token(self, request: Request) -> Response:
        """Tokens for a code or a refresh token; the parameters in the query (as documented) or in a form."""
        given = await _parameters(request)
        if not self._is_client(request, given):
            refused = {"error": "invalid_client", "error_description": "the app's id or secret is wrong"}
            return json_response(refused, 401, {"www-authenticate": "Basic"})
        try:
            return json_response(_answer(self._granted(given)))
        except GrantError as error:
            return json_response({"error": error.code, "error_description": str(error)}, 400)

    def _granted(self, given: dict[str, str]) -> Granted:
        kind = given.get("grant_type")
        if kind == "authorization_code":
            verifier = given.get("code_verifier", "")
            return self._grants.exchange(given.get("code", ""), given.get("redirect_uri"), verifier)
        if kind == "refresh_token":
            return self._grants.refresh(given.get("refresh_token", ""))
        raise GrantError("unsupported_grant_type", "grant_type must be authorization_code or refresh_token")

    async def revoke(self, request: Request) -> Response:
        """End a token."""
        given = await _parameters(request)
        if not self._is_client(request, given):
            return json_response({"error": "invalid_client"}, 401, {"www-authenticate": "Basic"})
        self._grants.revoke(given.get("token", ""))
        return json_response({})

    def _is_client(self, request: Request, given: dict[str, str]) -> bool:
        identifier, secret = _basic(request.headers.get("authorization", ""))
        client = self._grants.client
        identifier, secret = identifier or given.get("client_id", ""), secret or given.get("client_secret", "")
        return identifier == client.id and hmac.compare_digest(secret.encode(), client.secret.encode())


def _answer(granted: Granted) -> dict[str, object]:
    return {
        "access_token": granted.access,
        "token_type": "bearer",
        "refresh_token": granted.refresh,
        "expires_in": max(0, int(granted.expires_s - time.monotonic())),
        "scope": _SCOPE,
        "user_key": granted.user_key,
    }


async def _parameters(request: Request) -> dict[str, str]:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MAX_FORM_BYTES:
            return {}
    form = dict(parse_qsl(body.decode(errors="replace"))) if request.method == "POST" else {}
    return {**dict(request.query_params), **form}


def _basic(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        identifier, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return unquote_plus(identifier), unquote_plus(secret)
