"""Links that end mails of a kind without signing in (RFC 8058): mail programs post to them, people are asked first."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from html import escape
from typing import Annotated
from urllib.parse import parse_qs

import orjson
from pydantic import Field

from dbz.server.core import Core
from dbz.server.http import Call, Query, Raw, Route
from dbz.server.http.errors import ApiError
from dbz.server.notification.preferences import ALL_KINDS, EMAIL, PreferenceStore

PATH = "/api/notifications/unsubscribe"
_MOST_BYTES = 10_000
_FIELD, _ONE_CLICK = "List-Unsubscribe", "One-Click"
_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-robots-tag", b"noindex"),
)


class UnsubscribeLinks:
    """Makes and reads them. They do not expire: a mail may be years old."""

    def __init__(self, public_url: str, secret: str) -> None:
        self._public_url, self._key = public_url, secret.encode()

    def url(self, user_id: str, club_id: str, kind: str) -> str:
        """The link that ends mails of this kind to a member."""
        payload = urlsafe_b64encode(orjson.dumps([user_id, club_id, kind])).decode().rstrip("=")
        return f"{self._public_url}{PATH}?t={payload}.{self._mac(payload)}"

    def read(self, text: str) -> tuple[str, str, str]:
        """User, club and kind of a link that this server made; refuses with 404 all others."""
        payload, _, mac = text.partition(".")
        if not self._key or not hmac.compare_digest(mac.encode(), self._mac(payload).encode()):
            raise ApiError(404, "not_found", "this link is not one of ours, or was not copied whole")
        user_id, club_id, kind = orjson.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return user_id, club_id, kind

    def _mac(self, payload: str) -> str:
        return hmac.digest(self._key, f"unsubscribe {payload}".encode(), "sha256").hex()[:40]


class LinkQuery(Query):
    """The signed part of a link."""

    t: Annotated[str, Field(max_length=2000)] = ""


class Unsubscribe:
    """The pages behind the links."""

    def __init__(self, core: Core, preferences: PreferenceStore) -> None:
        settings = core.settings
        self.links = UnsubscribeLinks(settings.push.public_url, settings.mail_link_secret)
        self._preferences = preferences
        page = {
            "answers": {200: None},
            "media_types": ("text/html",),
            "public": True,
            "query": LinkQuery,
            "refusals": (404,),
        }
        self.routes = (
            Route("GET", PATH, self.ask, "Ask before mails of a kind end", cacheable=False, **page),  # type: ignore[arg-type]
            Route("POST", PATH, self.end, "End mails of a kind", **page),  # type: ignore[arg-type]
        )

    async def ask(self, call: Call) -> Raw:
        """GET: changes nothing, because mail filters open every link."""
        query: LinkQuery = call.query
        _, _, kind = self.links.read(query.t)
        what = "any mails" if kind == ALL_KINDS else f"mails about “{escape(kind)}”"
        form = f'<form method="post"><input type="hidden" name="{_FIELD}" value="{_ONE_CLICK}">'
        return _page(f"<p>Do you want no more {what}?</p>{form}<button>No more of them</button></form>")

    async def end(self, call: Call) -> Raw:
        """POST of a mail program or of the page, with the body that RFC 8058 demands; again changes nothing more."""
        query: LinkQuery = call.query
        user_id, club_id, kind = self.links.read(query.t)
        form = parse_qs((await call.read(_MOST_BYTES, 10.0)).decode("utf-8", "replace"))
        if form.get(_FIELD) != [_ONE_CLICK]:
            raise ApiError(422, "invalid_body", f"the body must be {_FIELD}={_ONE_CLICK}")
        await self._preferences.turn_off(club_id, user_id, EMAIL, kind)
        return _page("<p>You will get no more of these mails.</p>")


def _page(body: str) -> Raw:
    head = '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Mails</title></head>'
    text = f"{head}<body>{body}</body></html>"
    return Raw(text.encode(), b"text/html; charset=utf-8", _HEADERS)
