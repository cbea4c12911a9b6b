"""Who an operation demands that one is, and which operation of the same document makes one that.

A scheme has a login when the document shows where its credential comes from: the token URL of an OAuth 2 flow (RFC
6749, sections 4.3 and 4.4), or an operation that is called like a login, takes a password or another secret, and
answers with a token; for a cookie, one that takes a password. Where nothing shows it the environment is asked for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dbz.bring import names
from dbz.bring.files.openapi.document import ApiDocument, ApiOperation, Json
from dbz.bring.files.openapi.examples import Examples
from dbz.bring.values import Location, leaves

_LOGIN = re.compile(r"log_?[io]n|sign_?in|authenticate|auth|token|session|jwt")
_NO_LOGIN = re.compile(
    r"regist|sign_?up|reset|forg[oe]t|change|refresh|renew|revoke|verify|confirm|invite|introspect|log_?o(ut|ff)|sign_?out"
)
_ENDING = re.compile(r"(^|[_/])(log_?o(ut|ff)|sign_?out|revoke|refresh|renew)")
"""What ends a session, or gives its token for another one."""
_TOKENS = ("access_token", "token", "jwt", "id_token", "auth_token", "bearer_token", "session_token", "api_token")
"""Keys of an answer under which a token stands, the best first; after them any other that ends in `_token`."""
_NO_TOKEN = re.compile(r"refresh|csrf|xsrf|device|push|reset|page|type|expir")
_KEYS = ("api_key", "apikey", "key", "session_id", "sid")
"""The same where a key of the service's own is asked for."""


@dataclass(frozen=True)
class ApiLogin:
    """What is asked once so that others are answered."""

    operation: ApiOperation | None
    """None for a token URL that is no operation of the document."""
    path: str
    """The whole path on the server."""
    location: Location | None
    """Where the answer holds the credential; None where a cookie is set."""
    form: Mapping[str, str]
    """What OAuth 2 has in the form, beside what the document says."""

    @property
    def asks(self) -> str:
        """The method and path, as people call it."""
        return self.operation.name if self.operation else f"POST {self.path}"


@dataclass(frozen=True)
class Credential:
    """How a request shows who makes it."""

    place: str
    """`header`, `query` or `cookie`."""
    name: str
    before: str
    """What stands before it, like "Bearer "."""
    variable: str
    """Stands for it until an answer, or the environment, brings it."""
    login: ApiLogin | None = None


class Authentication:
    """What the operations of one document demand."""

    def __init__(self, document: ApiDocument, examples: Examples, operations: Sequence[ApiOperation]) -> None:
        self._document = document
        self._examples = examples
        self._operations = operations
        self._credentials: dict[str, Credential | None] = {}
        self._variables: dict[str, str] = {}  # by what brings a token

    def demanded(self, operation: ApiOperation) -> list[Credential]:
        """What an operation asks for, by the first of its alternatives that can be had without anybody's help."""
        alternatives = [[self._credential(name) for name in one] for one in self._document.security(operation)]
        known = [[one for one in alternative if one] for alternative in alternatives]
        return next((one for one in known if all(part.login for part in one)), known[0] if known else [])

    def ends_session(self, operation: ApiOperation, logins: Sequence[ApiLogin]) -> bool:
        """Whether an operation would undo one of the logins for the requests that come after it."""
        again = any(
            login.operation and operation.path == login.operation.path and operation.method == "delete"
            for login in logins
        )
        return bool(logins) and (again or bool(_ENDING.search(_called(operation))))

    def _credential(self, name: str) -> Credential | None:
        if name not in self._credentials:
            self._credentials[name] = self._made(name, self._document.followed(self._document.schemes().get(name)))
        return self._credentials[name]

    def _made(self, name: str, scheme: Json) -> Credential | None:
        """The credential of a scheme; None for kinds that no request can show, such as a client's certificate."""
        kind, place = str(scheme.get("type") or "").lower(), str(scheme.get("in") or "")
        field = str(scheme.get("name") or "x-api-key")
        if kind == "apikey" and place in ("header", "query", "cookie"):
            login = self._login(name, scheme, field if place != "cookie" else None)
            bearer = "Bearer " if login and field.lower() == "authorization" else ""
            return Credential(place, field, bearer, names.snake(field).upper(), login)
        if kind == "basic" or str(scheme.get("scheme") or "").lower() == "basic":
            return Credential("header", "authorization", "Basic ", self._variable("basic", name))
        if kind in ("http", "oauth2", "openidconnect"):
            login = self._login(name, scheme, "")
            variable = self._variable(login.asks if login else "", name)
            return Credential("header", "authorization", "Bearer ", variable, login)
        return None

    def _variable(self, source: str, scheme: str) -> str:
        """What stands for a token: the same for all schemes that take it from the same answer."""
        if source not in self._variables:
            taken = self._variables.values()
            self._variables[source] = f"{names.snake(scheme).upper()}_TOKEN" if "TOKEN" in taken else "TOKEN"
        return self._variables[source]

    def _login(self, name: str, scheme: Json, field: str | None) -> ApiLogin | None:
        """The login of a scheme; `field` is what carries its credential, None where that is a cookie."""
        for flow, url in _token_urls(scheme):
            login = self._of_token_url(flow, url)
            if login:
                return login
        ranked = [(rank, operation) for operation in self._operations if (rank := self._rank(operation, name))]
        for _, operation in sorted(ranked, key=lambda pair: -pair[0]):
            location = self._token_in(operation, field) if field is not None else None
            if field is None or location:
                return ApiLogin(operation, self._document.prefix(operation.servers) + operation.path, location, {})
        return None

    def _of_token_url(self, flow: str, url: str) -> ApiLogin | None:
        path = self._document.own_path(url)
        if path is None:
            return None
        posts = (one for one in self._operations if one.method == "post")
        operation = next((one for one in posts if self._document.prefix(one.servers) + one.path == path), None)
        location = self._token_in(operation, "") if operation else None
        return ApiLogin(operation, path, location or ("access_token",), {"grant_type": flow})

    def _rank(self, operation: ApiOperation, scheme: str) -> int:
        """How much an operation looks like a login; 0 when it is none."""
        called = _called(operation)
        if operation.method not in ("post", "put") or _NO_LOGIN.search(called) or not _LOGIN.search(called):
            return 0
        if not any(names.is_secret_key(field) for field in self._fields(operation)):
            return 0
        open_to_all = all(scheme not in one for one in self._document.security(operation))
        last = names.snake(operation.path.rstrip("/").rpartition("/")[2])
        return 1 + 2 * bool(_LOGIN.search(last)) + open_to_all

    def _fields(self, operation: ApiOperation) -> list[str]:
        """What the body of an operation holds, by key."""
        form = [str(one.get("name")) for one in operation.parameters if one.get("in") == "formData"]
        for _, media in self._document.request_media(operation):
            tree = self._examples.value_of(media, whole=True)
            return [*form, *(str(place[-1]) for place, _ in leaves(tree) if place)]
        return form

    def _token_in(self, operation: ApiOperation, field: str) -> Location | None:
        """Where the answer to an operation holds a token, or the key that `field` carries."""
        tree = self._examples.value_of(self._document.answer_media(operation), whole=True)
        ranked: list[tuple[int, int, Location]] = []
        for place, value in leaves(tree):
            rank = _token_rank(place, field)
            if rank is not None and isinstance(value, str) and all(isinstance(key, str) for key in place):
                ranked.append((rank, len(place), place))
        return min(ranked, key=lambda one: one[:2])[2] if ranked else None


def _called(operation: ApiOperation) -> str:
    """What a path and the operation on it are called, as words."""
    parts = [part for part in operation.path.split("/") if part and not part.startswith("{")]
    return "/".join(map(names.snake, [*parts, str(operation.details.get("operationId") or "")]))


def _token_urls(scheme: Json) -> list[tuple[str, str]]:
    """The flows of a scheme that need no browser, by their names in RFC 6749, each with its URL."""
    flows: Any = scheme.get("flows") if isinstance(scheme.get("flows"), dict) else {str(scheme.get("flow")): scheme}
    known = {"password": "password", "clientCredentials": "client_credentials", "application": "client_credentials"}
    found = [(grant, flows.get(flow)) for flow, grant in known.items()]
    return [(grant, str(flow["tokenUrl"])) for grant, flow in found if isinstance(flow, dict) and flow.get("tokenUrl")]


def _token_rank(place: Location, field: str) -> int | None:
    """How well a place in an answer is one of a token, 0 the best; None when it is none."""
    keys = [names.snake(str(key)) for key in place[-2:]]
    key = keys[-1] if keys else ""
    if key in ("value", "access") and len(keys) > 1 and "token" in keys[0]:  # as in {"token": {"value": …}}
        key = "token"
    if _NO_TOKEN.search(key):
        return None
    if field and key == names.snake(field).removeprefix("x_"):
        return 0
    if key in _TOKENS:
        return 1 + _TOKENS.index(key)
    if key.endswith("_token"):
        return 1 + len(_TOKENS)
    return 20 + _KEYS.index(key) if field and key in _KEYS else None
