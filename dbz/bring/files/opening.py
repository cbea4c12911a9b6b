"""Telling by its contents what a file is, and reading it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from dbz.bring.files.access_log import read_access_log
from dbz.bring.files.curl import read_curl
from dbz.bring.files.har import read_har
from dbz.bring.files.openapi.reading import read_openapi
from dbz.bring.files.postman import read_postman
from dbz.bring.files.unpacking import BOM, unpacked
from dbz.bring.recording import Recording
from dbz.config.source import parse_yaml
from dbz.errors import UsageError

MAX_BYTES = 512 * 2**20
"""More than this is not read, unpacked or not."""
_KNOWN = "HAR, OpenAPI 3 or Swagger 2, an access log (common, combined, JSON, ALB), a Postman collection, curl commands"


def read_files(paths: Sequence[str]) -> Recording:
    """Everything that the files bring; `UsageError` says which file cannot be read, and why."""
    recording = Recording()
    for path in paths:
        recording.add(read_file(Path(path)))
    if not recording.exchanges and not recording.sockets:
        raise UsageError(f"{', '.join(map(str, paths))}: there is no request in it", code="B004")
    return recording


def read_file(path: Path) -> Recording:
    """What one file brings, by its contents; its name counts for nothing."""
    return read_content(_contents(path), path.name)


def read_content(text: bytes, source: str) -> Recording:
    """What a content brings; `source` names it in messages."""
    document = _document(text, source)
    try:
        if isinstance(document, dict):
            return _of_document(document, source)
        first = text.lstrip()[:200].decode("utf-8", "replace")
        if first.startswith(("curl ", "$ curl ", "#!")) or "\ncurl " in first:
            return read_curl(text.decode("utf-8", "replace").replace("$ curl", "curl"), source)
        return read_access_log(text.decode("utf-8", "replace").splitlines(), source)
    except RecursionError:
        raise UsageError(f"{source} is nested too deeply", code="B002") from None


def _of_document(document: dict[str, Any], source: str) -> Recording:
    if "log" in document:
        return read_har(document, source)
    if "openapi" in document or "swagger" in document:
        return read_openapi(document, source)
    if "item" in document:
        return read_postman(document, source)
    if isinstance(document.get("collection"), dict):
        return read_postman(document["collection"], source)
    try:
        return read_access_log([orjson.dumps(document, default=str).decode()], source)  # a log of one line
    except (UsageError, TypeError):
        raise UsageError(f"{source} is none of the files that dbz knows ({_KNOWN})", code="B001") from None


def _contents(path: Path) -> bytes:
    with unpacked(path) as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise UsageError(f"{path} has more than {MAX_BYTES // 2**20} MB", code="B002")
    if not data.strip():
        raise UsageError(f"{path} is empty", code="B002")
    return data.removeprefix(BOM)


def _document(text: bytes, source: str) -> Any:
    """The one JSON or YAML document that a text is; None when it is lines of something else."""
    head = text.lstrip()[:1]
    if head in (b"{", b"["):
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError as error:
            first_line = text.lstrip().split(b"\n", 1)[0]
            if _is_json(first_line) and b"\n" in text.strip():
                return None  # JSON lines: a log
            raise UsageError(f"{source} is damaged JSON, or was cut off: {error}", code="B002") from error
    start = text[:2000]
    if any(start.startswith(key) or b"\n" + key in start for key in (b"openapi:", b"swagger:")):
        return parse_yaml(text.decode("utf-8", "replace"), source).data
    return None


def _is_json(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True
