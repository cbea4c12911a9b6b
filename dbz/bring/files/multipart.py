"""Bodies of several parts as they were sent: Chrome keeps their text alone, without the contents of files."""

from __future__ import annotations

import re
from collections.abc import Iterator

_BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^\s;]+))', re.IGNORECASE)
_NAME = re.compile(r'[;\s]name="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_FILE = re.compile(r'[;\s]filename="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_ESCAPED = {"%22": '"', "%0D": "\r", "%0A": "\n", '\\"': '"'}
"""How browsers write what may not stand in a name, and how curl writes quotes."""


def parts_of(body: str | bytes, media_type: str) -> Iterator[tuple[str, str]]:
    """The name and the value of each part; a file's value is its name. Parts without a name are left out."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    match = _BOUNDARY.search(media_type)
    boundary = (match[1] or match[2]) if match else text.lstrip().split("\n", 1)[0].strip().removeprefix("--")
    if not boundary:
        return
    for part in f"\r\n{text}".replace("\r\n", "\n").split(f"\n--{boundary}")[1:]:
        head, _, value = part.partition("\n\n")
        name, file = _NAME.search(head), _FILE.search(head)
        if name is not None and not part.startswith("--"):
            yield _plain(name[1]), _plain(file[1]) if file else value


def _plain(written: str) -> str:
    for mark, sign in _ESCAPED.items():
        written = written.replace(mark, sign)
    return written
