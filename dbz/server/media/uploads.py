"""The file in a request: the whole body, or the one file of a form (multipart/form-data, RFC 7578)."""

from __future__ import annotations

from email.message import Message

from dbz.server.http.errors import ApiError

FORM = "multipart/form-data"
_MAX_HEAD_BYTES = 8192
_MAX_BOUNDARY_CHARS = 70


def file_of(content_type: bytes, body: bytes) -> bytes:
    """The bytes of the file in a body of this Content-Type; refuses a form that is malformed or has not one file."""
    declared = _header("content-type", content_type)
    if declared.get_content_type() != FORM:
        return body
    boundary = declared.get_boundary() or ""
    if not 0 < len(boundary) <= _MAX_BOUNDARY_CHARS or not boundary.isascii():
        raise ApiError(400, "malformed_form", "the Content-Type names no boundary between the parts of the form")
    files = _files(body, boundary.encode())
    if len(files) != 1:
        raise ApiError(422, "one_file", f"the form has {len(files)} files: send one picture at a time, as a file")
    return files[0]


def _files(body: bytes, boundary: bytes) -> list[bytes]:
    """The parts that have a file name, in their order."""
    _, *parts = (b"\r\n" + body).split(b"\r\n--" + boundary)
    if not parts or not parts[-1].startswith(b"--"):
        raise ApiError(400, "malformed_form", "the form does not end with its boundary")
    files = []
    for part in parts[:-1]:
        head, blank, content = part.partition(b"\r\n\r\n")
        if not blank or len(head) > _MAX_HEAD_BYTES:
            raise ApiError(400, "malformed_form", "a part of the form has no head")
        if _is_file(head):
            files.append(content)
    return files


def _is_file(head: bytes) -> bool:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-disposition":
            return _header("content-disposition", value).get_filename() is not None
    return False


def _header(name: str, value: bytes) -> Message:
    message = Message()
    message[name] = value.decode("latin-1").replace("\r", " ").replace("\n", " ").strip()
    return message
