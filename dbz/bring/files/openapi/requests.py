"""A request for an operation, with what the document says its parameters and bodies are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from dbz.bring import names
from dbz.bring.files.openapi.document import ApiDocument, ApiOperation, Json
from dbz.bring.files.openapi.examples import Examples, InventedText, text_of
from dbz.bring.files.openapi.logins import ApiLogin, Credential
from dbz.bring.files.openapi.styles import as_json, described, in_path, joined, pairs_of
from dbz.bring.files.openapi.xml_bodies import root_name, xml_of
from dbz.bring.recording import FORM, JSON, MULTIPART, TEXT, Exchange, MessageBody, placeholder
from dbz.bring.values import replaced

_UNDECLARED = re.compile(r"\{([^{}/]+)\}")
"""Parts of a path of which its document only says that they change."""
_FORM_TYPE = "application/x-www-form-urlencoded"
_OAUTH_FIELDS: Mapping[str, Sequence[str]] = {
    "password": ("username", "password"),
    "client_credentials": ("client_id", "client_secret"),
}
"""What a grant of OAuth 2 asks for (RFC 6749, sections 4.3.2 and 4.4.2; the client may show its secret in the form)."""


@dataclass
class _Sent:
    """What the parameters of an operation make of its request."""

    path: str
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: list[tuple[str, str]] = field(default_factory=list)
    cookies: list[str] = field(default_factory=list)
    form: dict[str, Any] = field(default_factory=dict)

    def show(self, credential: Credential) -> None:
        """Put a credential where it belongs; a cookie that a login sets is sent by the client itself."""
        text = credential.before + placeholder(credential.variable)
        if credential.place == "query":
            self.query.append((credential.name, text))
        elif credential.place == "header":
            self.headers.append((credential.name.lower(), text))
        elif credential.login is None:
            self.cookies.append(f"{credential.name}={text}")

    def all_headers(self) -> list[tuple[str, str]]:
        """The headers, with all cookies in one."""
        return [*self.headers, *([("cookie", "; ".join(self.cookies))] if self.cookies else [])]


class RequestMaker:
    """Makes the requests of one document."""

    def __init__(self, document: ApiDocument, examples: Examples) -> None:
        self._document = document
        self._examples = examples

    def of_operation(
        self,
        operation: ApiOperation,
        credentials: Sequence[Credential] = (),
        ids: Mapping[str, str] | None = None,
        *,
        signs_in: bool = False,
    ) -> Exchange:
        """The request of an operation.

        `ids` stand in the path for parameters by name. When it `signs_in`, texts without an example become
        placeholders: what only the user knows.
        """
        sent = self._parameters(operation, ids or {}, signs_in=signs_in)
        known = {one.name for one in credentials if one.place == "cookie"}
        sent.cookies = [one for one in sent.cookies if one.partition("=")[0] not in known]
        for credential in credentials:
            sent.show(credential)
        prefix = self._document.prefix(operation.servers)
        url = (
            self._document.origin(operation.servers)
            + prefix
            + sent.path
            + (f"?{urlencode(sent.query)}" if sent.query else "")
        )
        body = (
            _form(FORM, sent.form, _FORM_TYPE, signs_in=signs_in)
            if sent.form
            else self._body(operation, signs_in=signs_in)
        )
        title = str(operation.details.get("operationId") or operation.details.get("summary") or "")
        return Exchange(
            operation.method.upper(), url, sent.all_headers(), body, _expected(operation), source=self._document.source,
            title=title, template=prefix + operation.path,
        )  # fmt: skip

    def _parameters(self, operation: ApiOperation, ids: Mapping[str, str], *, signs_in: bool) -> _Sent:
        sent = _Sent(operation.path)
        for parameter in operation.parameters:
            name, place = str(parameter.get("name")), parameter.get("in")
            if place == "path":
                value = ids[name] if name in ids else self.path_value(parameter)
                sent.path = sent.path.replace(f"{{{name}}}", value)
            elif place == "formData" and (_is_sent(parameter) or signs_in):
                sent.form[name] = self._examples.value_of(parameter)
            elif place in ("query", "header", "cookie") and _is_sent(parameter):
                value = self._value(parameter)
                value = _opened(name, value) if signs_in else value
                if place == "query":
                    sent.query += pairs_of(parameter, value)
                elif place == "header":
                    sent.headers.append((name.lower(), joined(parameter, value)))
                else:
                    sent.cookies.append(f"{name}={joined(parameter, value)}")
        for name in _UNDECLARED.findall(sent.path):
            value = ids.get(name) or self.path_value({"name": name, "in": "path", "schema": {"type": "string"}})
            sent.path = sent.path.replace(f"{{{name}}}", value)
        return sent

    def of_login(self, login: ApiLogin) -> Exchange:
        """The request that signs in."""
        fields = _OAUTH_FIELDS.get(login.form.get("grant_type", ""), ())
        wanted = {**login.form, **{name: InventedText() for name in fields}}
        if login.operation is None:
            body = _form(FORM, wanted, _FORM_TYPE, signs_in=True)
            return Exchange("POST", self._document.origin() + login.path, (), body, template=login.path)
        exchange = self.of_operation(login.operation, signs_in=True)
        if not wanted or exchange.body.kind == JSON:  # a token URL that does not take RFC 6749's form says so
            return exchange
        known = dict(exchange.body.value) if exchange.body.kind == FORM else {}
        body = _form(FORM, {**wanted, **known}, _FORM_TYPE, signs_in=True)
        return Exchange(
            exchange.method, exchange.url, exchange.headers, body, exchange.status, source=exchange.source,
            title=exchange.title, template=exchange.template,
        )  # fmt: skip

    def path_value(self, parameter: Json) -> str:
        """The value of a parameter in a path, as it stands in a URL."""
        return in_path(parameter, self._value(parameter))

    def _value(self, parameter: Json) -> Any:
        described_by, as_text = described(parameter)
        value = self._examples.value_of(described_by)
        return as_json(value) if as_text else value

    def _body(self, operation: ApiOperation, *, signs_in: bool) -> MessageBody:
        for media_type, media in self._document.request_media(operation):
            value = self._examples.value_of(media)
            if "json" in media_type:
                return MessageBody(JSON, _opened("", value) if signs_in else value, media_type)
            if media_type in (_FORM_TYPE, "multipart/form-data") and isinstance(value, dict):
                return _form(FORM if media_type == _FORM_TYPE else MULTIPART, value, media_type, signs_in=signs_in)
            if "xml" in media_type and not isinstance(value, str):
                schema = media.get("schema")
                return MessageBody(TEXT, xml_of(root_name(schema, self._document.followed(schema)), value), media_type)
            if "*" in media_type and not isinstance(value, str):
                return MessageBody(JSON, _opened("", value) if signs_in else value, "application/json")
            return MessageBody(TEXT, text_of(value), media_type)
        return MessageBody()


def _form(kind: str, fields: Mapping[str, Any], media_type: str, *, signs_in: bool) -> MessageBody:
    opened = {str(name): _opened(str(name), value) if signs_in else value for name, value in fields.items()}
    return MessageBody(kind, [(name, text_of(value)) for name, value in opened.items()], media_type)


def _opened(name: str, value: Any) -> Any:
    """A value of a login in which what only the user knows is open: the password, and who it is."""

    def opened(place: Sequence[str | int], leaf: Any) -> Any:
        key = next((part for part in reversed(place) if isinstance(part, str)), name)
        if not isinstance(leaf, InventedText):
            return leaf
        if names.is_secret_key(key):
            return placeholder(names.snake(key).upper())
        return placeholder(f"LOGIN_{names.snake(key).upper()}")

    return replaced(value, opened)


def _is_sent(parameter: Json) -> bool:
    return bool(parameter.get("required")) or any(key in parameter for key in ("example", "examples", "x-example"))


def _expected(operation: ApiOperation) -> int:
    responses = operation.details.get("responses")
    codes = [str(code) for code in responses] if isinstance(responses, dict) else []
    return next((int(code) for code in codes if code.isdigit() and code.startswith("2")), 0)
