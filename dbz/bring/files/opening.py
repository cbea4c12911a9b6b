"""Telling by its contents what a file is, and reading it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from dbz.bounded import RECORDING, rest_within, too_large
from dbz.bring.files.curl.reading import read_curl
from dbz.bring.files.har import read_har
from dbz.bring.files.logs.reading import KNOWN_LOGS, read_access_log
from dbz.bring.files.openapi.reading import read_openapi
from dbz.bring.files.postman import read_postman
from dbz.bring.files.unpacking import BOM, log_lines, unpacked
from dbz.bring.recording import Recording
from dbz.config.source.source import parse_yaml
from dbz.errors import UsageError

_MOST_VALUES_OF_YAML = 100_000
"""Of a description of an API: some seconds, and less than 100 MB. As JSON it may have as many as it likes."""
_HEAD_BYTES = 1 << 16
_CURL = re.compile(rb"(?:^|[;&|(]|\$ |^\w+=\S* )[ \t]*curl(?:\.exe)?[ \t]", re.MULTILINE)
_CURL_BYTES = 1000
_EXPORTS = (
    ("_postman_variable_scope", "an environment of Postman", "the collection, exported with its variables"),
    ("rawModeData", "a request of Postman's version 1", "the collection, exported as v2.1"),
    ("order", "a collection of Postman's version 1", "the collection, exported as v2.1"),
    ("__export_format", "an export of Insomnia", "the same requests, exported as HAR"),
    ("traceEvents", "a profile of Chrome", "what its network panel exports as HAR"),
)
"""Keys of documents that hold something else than requests that are read, and what does."""
_NO_LINE = "\ufffd"
_DOCUMENT_KEYS = (b'"log"', b'"openapi"', b'"swagger"', b'"item"', b'"info"', b'"collection"')
"""One of them stands near the beginning of every JSON document that is read here."""
_KNOWN = f"HAR, OpenAPI 3 or Swagger 2, an access log ({KNOWN_LOGS}), a Postman collection, curl commands"


def read_files(paths: Sequence[str]) -> Recording:
    """Everything that the files bring; `UsageError` says which file cannot be read, and why."""
    recording = Recording()
    for path in paths:
        recording.add(read_file(Path(path)))
    if not recording.exchanges and not recording.sockets:
        raise UsageError(f"{', '.join(map(str, paths))}: there is no request in it", code="B004")
    return recording


def read_file(path: Path) -> Recording:
    """What one file brings, by its contents; its name counts for nothing. Of a log only its requests are held."""
    with unpacked(path) as file:
        head = file.read(_HEAD_BYTES).removeprefix(BOM)
        if not head.strip():
            raise UsageError(f"{path} is empty", code="B002")
        file.seek(0)
        if _is_log(head):
            return read_access_log(_held_lines(file, path), path.name)
        if len(head) > _HEAD_BYTES // 2 and _is_json_text(head) and not any(key in head for key in _DOCUMENT_KEYS):
            raise _unknown(str(path))
        content = rest_within(file, str(path), RECORDING)
    return read_content(content.removeprefix(BOM), path.name)


def _held_lines(file: BinaryIO, path: Path) -> Iterator[str]:
    """The lines of a log whose requests are all held in memory."""
    read = 0
    for line in log_lines(file, path):
        read += len(line or "")
        if read > RECORDING.most_bytes:
            raise too_large(str(path), RECORDING)
        yield _NO_LINE if line is None else line


def read_content(text: bytes, source: str) -> Recording:
    """What a content brings; `source` names it in messages."""
    try:
        document = _document(text, source)
        if isinstance(document, dict):
            return _of_document(document, source)
        if _is_curl(text):
            return read_curl(text.decode("utf-8", "replace"), source)
        return read_access_log(text.decode("utf-8", "replace").splitlines(), source)
    except RecursionError:
        raise UsageError(f"{source} is nested too deeply", code="B002") from None


def _is_log(head: bytes) -> bool:
    """Whether the beginning of a content is that of a log: not of a document, nor of commands."""
    if _is_json_text(head):
        first = head.lstrip().split(b"\n", 1)[0]
        return _is_json(first) and first.strip() != head.strip()
    return not _is_yaml(head) and not _is_curl(head)


def _is_json_text(head: bytes) -> bool:
    return head.lstrip()[:1] in (b"{", b"[")


def _is_yaml(head: bytes) -> bool:
    start = head[:2000]
    return any(start.startswith(key) or b"\n" + key in start for key in (b"openapi:", b"swagger:"))


def _is_curl(head: bytes) -> bool:
    start = head[:_HEAD_BYTES].lstrip()[:_CURL_BYTES]
    return start.startswith(b"#!") or bool(_CURL.search(start))


def _of_document(document: dict[str, Any], source: str) -> Recording:
    if "log" in document and not isinstance(document["log"], str):  # a text is a line that Docker keeps
        return read_har(document, source)
    if "openapi" in document or "swagger" in document:
        return read_openapi(document, source)
    if "item" in document:
        return read_postman(document, source)
    if isinstance(document.get("collection"), dict):
        return read_postman(document["collection"], source)
    for key, what, instead in _EXPORTS:
        if key in document:
            raise UsageError(f"{source} is {what}, and not read", hint=f"give instead: {instead}", code="B001")
    try:
        return read_access_log([orjson.dumps(document, default=str).decode()], source)  # a log of one line
    except (UsageError, TypeError):
        raise _unknown(source) from None


def _unknown(source: str) -> UsageError:
    return UsageError(f"{source} is none of the files that dbz knows ({_KNOWN})", code="B001")


def _document(text: bytes, source: str) -> Any:
    """The one JSON or YAML document that a text is; None when it is lines of something else."""
    if _is_json_text(text[:_HEAD_BYTES]):
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError as error:
            first_line = text.lstrip().split(b"\n", 1)[0]
            if _is_json(first_line) and b"\n" in text.strip():
                return None  # JSON lines: a log
            raise UsageError(f"{source} is damaged JSON, or was cut off: {error}", code="B002") from error
    return parse_yaml(text.decode("utf-8", "replace"), source, _MOST_VALUES_OF_YAML).data if _is_yaml(text) else None


def _is_json(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True
