"""Authentication of requests: (user, password), and the authentication objects of requests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from requests.auth import HTTPDigestAuth
from requests.models import PreparedRequest
from requests.structures import CaseInsensitiveDict
from requests.utils import parse_dict_header

from dbz.load.generator.http.request.outgoing import Outgoing
from dbz.load.generator.http.request.urls import full_url, prepare_url
from dbz.load.generator.net.proxies import basic_authorization


def sign(outgoing: Outgoing, auth: Any) -> None:
    """Let `auth` change a request that is to be sent: its fields, its body, and its URL where a parameter signs it."""
    url = full_url(outgoing.origin, outgoing.target)
    prepared = _prepared_request(outgoing.method, url, outgoing.fields, outgoing.body)
    _authorize(auth, prepared)
    outgoing.fields = {str(name): str(value) for name, value in prepared.headers.items()}
    if prepared.url and prepared.url != url:
        outgoing.origin, outgoing.target, _ = prepare_url(prepared.url)
    body: Any = prepared.body or b""
    outgoing.body = body.encode("utf-8") if isinstance(body, str) else bytes(body)


def _authorize(auth: Any, prepared: PreparedRequest) -> None:
    """Let `auth` change a request: (user, password) for Basic, or one of requests' authentication objects."""
    if isinstance(auth, tuple | list):
        user, password = auth
        prepared.headers["Authorization"] = basic_authorization(user, password)
        return
    if not callable(auth):
        raise TypeError(f"auth is (user, password) or callable, not {type(auth).__name__}")
    auth(prepared)
    if prepared.hooks["response"] and not isinstance(auth, HTTPDigestAuth):
        raise TypeError(f"{type(auth).__name__} answers challenges by itself, which only HTTPDigestAuth may here")


def answer_challenge(auth: Any, method: str, url: str, challenge: str) -> str:
    """The Authorization that answers a digest challenge, the WWW-Authenticate of a 401; empty when there is none."""
    if not isinstance(auth, HTTPDigestAuth) or "digest" not in challenge.lower():
        return ""
    auth.init_per_thread_state()
    auth._thread_local.chal = parse_dict_header(re.sub(r"digest ", "", challenge, count=1, flags=re.IGNORECASE))
    return str(auth.build_digest_header(method, url) or "")


def _prepared_request(method: str, url: str, fields: Mapping[str, str], body: bytes) -> PreparedRequest:
    """A request as requests' authentication objects want to see it."""
    prepared = PreparedRequest()
    prepared.method, prepared.url, prepared.body = method, url, body or None
    prepared.headers = CaseInsensitiveDict(fields)
    return prepared
