"""What answers say of themselves beside their status: errors in JSON, error pages, logins where data were asked for.

A status of 200 says that a server answered, not that it did what it was asked. Known forms: an `error` or `errors`,
`success: false` and its like, JSend (https://github.com/omniti-labs/jsend), a status of 400 or more in the body, a
`code` like 401 or 50001 with its message in place of data, JSON-RPC 2.0 (section 5), problem details (RFC 9457), a SOAP
fault, pages whose title is that of an error or of a login, and what PHP and others print when they fail.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import orjson

CONTENTS = ("empty", "JSON", "HTML", "other")
"""Kinds of content, in the order in which lines of a record have them."""
_LONGEST = 80
_LARGEST_BYTES = 65_536
"""What says an error is short; a longer body is not looked at, since that would cost more than its request."""
_LARGEST_TITLE_BYTES = 4096
_MOST_OF_A_BATCH = 100
_CLOSED_BY = {b"{": b"}", b"[": b"]"}
_KEYS_OF_A_THING = 3
"""An object with an id and more keys than these is a thing that has an error, such as a job, and no error."""

_ERROR_KEYS = ("error", "errors", "errorMessage", "error_message", "fault", "exception")
_SUCCESS_KEYS = ("success", "ok", "succeeded")
_STATUS_KEYS = ("status", "statusCode", "status_code")
_CODE = "code"
_DATA_KEYS = ("data", "result", "payload")
_ERROR_TYPES = frozenset(("error", "connection_error"))
"""The `type` of messages that are errors, as in GraphQL over WebSocket, with what is wrong as `payload`."""
_TELLING_KEYS = frozenset((*_ERROR_KEYS, *_SUCCESS_KEYS, *_STATUS_KEYS, _CODE, "type"))
"""An object without any of these says nothing against itself."""
_MESSAGE_KEYS = (
    *("message", "detail", "error_description", "error", "description", "faultstring", "title", "reason", "msg"),
    *("code", "type"),
)
_NOTHING = frozenset({"", "0", "200", "ok", "none", "null", "false", "success", "no error", "no_error", "n/a"})
_JSEND = {"error": {"message"}, "fail": {"data"}}
"""The words of JSend, and what must stand beside them."""
_ERROR_ALONE = frozenset(("status", *_MESSAGE_KEYS))
"""What else may stand in an object that says `status: error` and no more: a thing would have more."""

_STATUS_HINT = re.compile(rb'"status(?:Code|_code)?"\s*:\s*"?(?:error|fail|[45]\d\d)')
_CODE_HINT = re.compile(rb'"code"\s*:\s*"?[45]\d\d')
_FAILED_CODE = re.compile(r"[45]\d\d\d{0,3}")
"""A status, or one with up to three digits more (`40001`)."""
_TYPE_HINT = re.compile(rb'"type"\s*:\s*"(?:connection_)?error"')
_FALSE_HINT = re.compile(rb'"(?:success|ok|succeeded)"\s*:\s*false')
_XML_FAULT = re.compile(rb"<(?:[\w.-]+:)?Fault[\s>]|^\s*(?:<\?xml[^>]*\?>\s*)?<Error[\s>]", re.IGNORECASE)
_TAG = re.compile(rb"<[^>]*>")
_TITLE = re.compile(rb"<title[^>]*>\s*(.*?)\s*</title", re.IGNORECASE | re.DOTALL)
_ERROR_TITLE = re.compile(
    r"^\W*(?:http\s+)?(?:error\s+)?[45]\d\d\b|^\W*error\b|bad gateway|gateway time-?out|internal server error"
    r"|service (?:temporarily )?unavailable|(?:page|site|file) not found|^\W*not found|^\W*forbidden|access denied"
    r"|^\W*unauthori[sz]ed|too many requests|(?:down for|under|scheduled) maintenance|just a moment"
    r"|attention required|web server is down|whitelabel error|something went wrong|exception caught"
    r"|\b(?:application|database|proxy|runtime|server) error\b|error establishing a database connection",
    re.IGNORECASE,
)
_PRINTED_IN_PAGE = re.compile(rb"<b>(?:fatal error|parse error|warning)</b>:", re.IGNORECASE)
"""What PHP writes into pages."""
_UNCAUGHT = re.compile(
    rb"traceback \(most recent call last\)"
    rb"|\W*(?:(?:[\w.]+\s)?[\w.]*(?:error|exception)|fatal|panic)\s*:\s(?!\s*(?:0|none|null|false|no)\b)",
    re.IGNORECASE,
)
"""How texts begin that an uncaught error left."""
_LONGEST_BEGINNING_BYTES = 160
_LOGIN_WORDS = r"log[\s_-]?in|sign[\s_-]?in|logon|anmelden|authenticate|sso"
_LOGIN_TITLE = re.compile(rf"\b(?:{_LOGIN_WORDS})\b", re.IGNORECASE)
_LOGIN_PATH = re.compile(rf"(?:^|[/_.-])(?:{_LOGIN_WORDS}|oauth2?|authorize)(?:$|[/_.-])", re.IGNORECASE)
_PASSWORD = re.compile(rb"""<input\b[^>]*\btype\s*=\s*["']?password\b""", re.IGNORECASE)
_LINK = re.compile(rb"<a\s", re.IGNORECASE)
_LINKS_OF_A_LOGIN = 8
_ACCOUNT_PATH = re.compile(
    r"(?:^|[/_.-])(?:log[_-]?(?:out|off)|sign[_-]?(?:out|off|up)|regist\w*|password|reset|forgot|verify|activate)(?:$|[/_.-])",
    re.IGNORECASE,
)
_PHRASES = {status.phrase.lower() for status in HTTPStatus if status >= 400}


def error_in(value: Any) -> str:
    """The error that a JSON value says, like `error: database is locked`; empty when it says none.

    For the arguments of an acknowledgement as for the body of an answer.
    """
    if isinstance(value, list):
        batch = (entry for entry in value[:_MOST_OF_A_BATCH] if isinstance(entry, Mapping) and "jsonrpc" in entry)
        return next((error for entry in batch if (error := error_in(entry))), "")
    if not isinstance(value, Mapping) or _TELLING_KEYS.isdisjoint(value) or _is_a_thing(value):
        return ""
    for key in _ERROR_KEYS:
        if _says(key, value):
            return _shown(key, value[key])
    for key in _SUCCESS_KEYS:
        if value.get(key) is False:
            return _shown(f"{key}: false", value)
    for key in _STATUS_KEYS:
        if _is_bad(value.get(key), value):
            return _shown(f"{key}: {value[key]}", value)
    return _type_in(value) or _code_in(value)


def objection_in(body: bytes, content_type: str, *, asked_for_login: bool = False) -> str:
    """What a decoded body of a good status says went wrong, in some words; empty when it says nothing of the kind.

    `asked_for_login`: the request was for a login, so that a page with one is what was wanted.
    """
    if not body:
        return ""
    first = body[:1]
    if first in _CLOSED_BY and _is_cut_off(body) and _is_json(content_type):
        return "JSON that is cut off"
    if len(body) > _LARGEST_BYTES:
        return ""
    if first not in b'{[<"' and first.isspace():
        body = body.lstrip()
        first = body[:1]
    if first == b"{" or (first == b"[" and b'"jsonrpc"' in body):
        return _objection_in_json(body)
    if (printed := _printed(body)) and not _is_json(content_type):
        return printed
    if first == b"<":
        page = _objection_in_page(body, asked_for_login=asked_for_login)
        return page or ("a page, and no JSON as its type says" if _is_json(content_type) else "")
    if len(body) < _LONGEST and "json" not in content_type:
        text = body.decode("utf-8", "replace").strip(" \r\n.!")
        return f"text: {text}" if text.lower() in _PHRASES else ""
    return ""


def _printed(body: bytes) -> str:
    """How a text begins that an uncaught error left, or what PHP printed of one into a page."""
    found = _UNCAUGHT.match(body[:_LONGEST_BEGINNING_BYTES])
    if found is None and (b"</b>:" in body or b"</B>:" in body):
        found = _PRINTED_IN_PAGE.search(body[:_LARGEST_TITLE_BYTES])
    if found is None:
        return ""
    words = _TAG.sub(b"", body[found.start() : found.start() + 4 * _LONGEST])
    return f"text: {_message_in(words.decode('utf-8', 'replace'))}"


def is_login(path: str) -> bool:
    """Whether a path, or the path of a URL, is that of a login."""
    return _LOGIN_PATH.search(urlsplit(path).path) is not None


def may_lead_to_login(path: str) -> bool:
    """Whether what stands at a path, or the path of a URL, may well end at a login: one itself, a logout, a sign-up."""
    return is_login(path) or _ACCOUNT_PATH.search(urlsplit(path).path) is not None


def asks_for_password(body: bytes) -> bool:
    """Whether a page is a login, whatever it is called: it asks for one password, and has few links, where the front
    page of a site has many.
    """
    if len(body) > _LARGEST_BYTES:
        return False
    return len(_PASSWORD.findall(body)) == 1 and len(_LINK.findall(body)) <= _LINKS_OF_A_LOGIN


def content_of(body_bytes: int, content_type: str) -> str:
    """Which kind of content a body is, of `CONTENTS`."""
    if not body_bytes:
        return "empty"
    if _is_json(content_type):
        return "JSON"
    return "HTML" if _media(content_type) in ("text/html", "application/xhtml+xml") else "other"


def said_by(body: bytes, content_type: str, path: str) -> tuple[str, str]:
    """Which kind of content the answer for a path is, and what it says against itself."""
    asked_for_login = body[:1] == b"<" and may_lead_to_login(path)
    return content_of(len(body), content_type), objection_in(body, content_type, asked_for_login=asked_for_login)


def _media(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _is_json(content_type: str) -> bool:
    return _media(content_type).endswith(("/json", "+json"))


def _is_cut_off(body: bytes) -> bool:
    """Whether an object or a list of JSON does not end as one."""
    end = _CLOSED_BY[body[:1]]
    return body[-1:] != end and body.rstrip()[-1:] != end


def _objection_in_json(body: bytes) -> str:
    hinted = (
        b'"error' in body
        or b'"fault"' in body
        or b'"exception"' in body
        or (b"false" in body and _FALSE_HINT.search(body))
        or (b'"status' in body and _STATUS_HINT.search(body))
        or (b'"code"' in body and _CODE_HINT.search(body))
        or (b'error"' in body and _TYPE_HINT.search(body))
    )
    if not hinted:
        return ""
    try:
        return error_in(orjson.loads(body))
    except ValueError:
        return ""


def _is_xml_fault(start: bytes) -> bool:
    """Whether a document is a fault of SOAP, or an error of S3 and its like."""
    lowered = start.lower()  # what is looked for first rules most pages out in a twentieth of the time
    hinted = b"<fault" in lowered or b":fault" in lowered or lowered.lstrip().startswith((b"<?xml", b"<error"))
    return hinted and _XML_FAULT.search(start) is not None


def _objection_in_page(body: bytes, *, asked_for_login: bool) -> str:
    start = body[:_LARGEST_TITLE_BYTES]
    if _is_xml_fault(start):
        return "an XML fault"
    found = _TITLE.search(start)
    title = " ".join((found[1] if found else _TAG.sub(b" ", start)).decode("utf-8", "replace").split())
    if not found and len(title) > _LONGEST:
        return ""  # a page without a title, and with more to say than an error
    title = title[:_LONGEST]
    if _ERROR_TITLE.search(title):
        return f"an error page: {title}"
    return f"a login page: {title}" if _LOGIN_TITLE.search(title) and not asked_for_login else ""


def _is_a_thing(value: Mapping[Any, Any]) -> bool:
    return "id" in value and "jsonrpc" not in value and len(value) > _KEYS_OF_A_THING


def _says(key: str, value: Mapping[Any, Any]) -> bool:
    """Whether what stands at a key for errors is one."""
    error = value.get(key)
    if isinstance(error, str):
        return error.strip().lower() not in _NOTHING
    if isinstance(error, Mapping):  # `{"code": 0, "message": ""}` says that all is well
        return any(isinstance(part, bool | list | Mapping) and part for part in error.values()) or any(
            part is not None and str(part).strip().lower() not in _NOTHING for part in error.values()
        )
    if isinstance(error, list):
        return key != "error" or any(error) if error else False
    if error is True:
        return True
    named = any(isinstance(value.get(name), str) and value[name] for name in _MESSAGE_KEYS)
    return key == "error" and isinstance(error, int) and error not in (0, 200) and named


def _is_bad(status: Any, value: Mapping[Any, Any]) -> bool:
    """Whether what stands at a key for a status, in such an object, says an error."""
    if isinstance(status, str) and status in _JSEND:
        return value.keys() >= _JSEND[status] or (status == "error" and value.keys() <= _ERROR_ALONE)
    return _is_failed_status(status) and any(value.get(name) for name in _MESSAGE_KEYS)


def _type_in(value: Mapping[Any, Any]) -> str:
    """The error of a message that is called one: `{"type": "error", "payload": [{"message": "no such field"}]}`."""
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in _ERROR_TYPES:
        return ""
    words = _message_in(value.get("payload")) or next(
        (text for name in _MESSAGE_KEYS if name != "type" and (text := _message_in(value.get(name)))), ""
    )
    return f"type: {kind}: {words}" if words else ""


def _code_in(value: Mapping[Any, Any]) -> str:
    """The error that `code` says which stands beside a message and no data: `{"code": 40001, "msg": "expired"}`."""
    code = value.get(_CODE)
    if isinstance(code, bool | float) or not _FAILED_CODE.fullmatch(str(code)):
        return ""
    words = next((value[name] for name in ("message", "msg") if isinstance(value.get(name), str)), "")
    if words.strip().lower() in _NOTHING or any(value.get(name) for name in _DATA_KEYS):
        return ""
    return f"code: {code}: {_message_in(words)}"


def _is_failed_status(status: Any) -> bool:
    number = int(status) if isinstance(status, str) and status.isascii() and status.isdigit() else status
    return isinstance(number, int) and not isinstance(number, bool) and 400 <= number < 600


def _shown(what: str, value: Any) -> str:
    message = _message_in(value)
    return f"{what}: {message}" if message else what


def _message_in(value: Any) -> str:
    """The words of an error, in one short line."""
    if isinstance(value, str):
        return " ".join(value.split())[:_LONGEST]
    if isinstance(value, list):
        return _message_in(value[0]) if value else ""
    if isinstance(value, Mapping):
        parts = (value.get(key) for key in _MESSAGE_KEYS)
        return next((text for part in parts if (text := _message_in(part))), "")
    return "" if value is None or isinstance(value, bool) else str(value)[:_LONGEST]
