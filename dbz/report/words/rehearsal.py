"""What happens in a rehearsal, in lines for a terminal."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from dbz.masking import masked_body, masked_headers, masked_name
from dbz.printable import printable
from dbz.report.words.verdict import plural

_QUIET_HEADERS = (
    "authorization",
    "cookie",
    "content-type",
    "location",
    "set-cookie",
    "etag",
    "retry-after",
    "www-authenticate",
)
_SHORT = 160


def without_secrets(told: Mapping[str, Any]) -> dict[str, Any]:
    """What was told, without what is secret in its URLs, headers and bodies by their names."""
    shown = dict(told)
    if told["what"] == "http":
        shown["url"] = masked_name(told["url"].partition("#")[0])  # a fragment is not sent, and may be a token
        shown |= {name: masked_headers(told[name]) for name in ("sent_headers", "headers")}
        shown |= {name: masked_body(told[name]) for name in ("sent", "body", "error")}
    elif told["what"] == "socket" and told["data"] is not None:
        text = json.dumps(told["data"], default=str, ensure_ascii=False)
        shown["data"] = json.loads(masked_body(text))
    elif told["what"] == "raised":
        shown["error"] = masked_body(told["error"])
    return shown


class RehearsalLines:
    """Turns what a rehearsal tells into lines, and counts what failed; with `full` headers and bodies are whole."""

    def __init__(self, *, full: bool) -> None:
        self._full = full
        self.exchanges = self.packets = 0
        self.failures: list[str] = []
        """What failed, in a few words each, in the order of happening."""

    def lines(self, told: Mapping[str, Any]) -> Iterator[str]:
        """The lines for one thing that happened, without secrets and without what would steer a terminal."""
        for line in self._lines(without_secrets(told)):
            yield printable(line)

    def _lines(self, told: Mapping[str, Any]) -> Iterator[str]:
        if told["what"] == "step":
            yield ""
            yield f"── {told['user']}.{told['task']}"
        elif told["what"] == "http":
            yield from self._exchange(told)
        elif told["what"] == "socket":
            yield from self._packet(told)
        elif told["what"] == "raised":
            where = f" at {told['line']}" if told["line"] else ""
            self.failures.append(f"{told['user']}.{told['task']} raised {told['error']}{where}")
            yield f"   ✗ raised {told['error']}{where}"

    def _exchange(self, told: Mapping[str, Any]) -> Iterator[str]:
        self.exchanges += 1
        ms = "" if told["ms"] is None else f", {told['ms']:.1f} ms"
        if told["parts"]:
            ms += f" ({', '.join(f'{name} {part_ms:.1f}' for name, part_ms in told['parts'].items())})"
        yield f"   {told['operation']}  {told['url']}"
        yield from self._headers(told["sent_headers"], ">")
        if told["sent"]:
            yield f"     > {self._short(told['sent'])}"
        status = f"HTTP {told['status']}" if told["status"] else "no answer"
        yield f"     {'✗' if told['error'] else '✓'} {status}, {told['bytes']:,} bytes{ms}"
        yield from self._headers(told["headers"], "<")
        if told["body"]:
            yield f"     < {self._short(told['body'])}"
        if told["error"]:
            self.failures.append(f"{told['operation']}: {told['error']}")
            yield f"     ✗ {told['error']}"

    def _headers(self, headers: Mapping[str, str], sign: str) -> Iterator[str]:
        for name, value in headers.items():
            if self._full or name.lower() in _QUIET_HEADERS:
                yield f"     {sign} {name}: {self._short(value)}"

    def _packet(self, told: Mapping[str, Any]) -> Iterator[str]:
        self.packets += 1
        arrow = "→" if told["sent"] else "←"
        where = "" if told["namespace"] == "/" else f" {told['namespace']}"
        data = (
            "" if told["data"] is None else f" {self._short(json.dumps(told['data'], default=str, ensure_ascii=False))}"
        )
        unheard = " (no handler)" if told.get("handled") is False else ""
        yield f"   {arrow} {told['kind']}{where}{data}{unheard}"
        if told["kind"] in ("refused", "lost"):
            self.failures.append(f"socket {told['kind']}: {_reason(told['data'])}")

    def _short(self, text: str) -> str:
        flat = " ".join(text.split())
        return flat if self._full or len(flat) <= _SHORT else f"{flat[: _SHORT - 1]}…"

    def summary(self) -> list[str]:
        """What it came to: counts, and what failed, equal failures on one line."""
        counts = ", ".join(
            (
                f"{self.exchanges:,} {plural('request', self.exchanges)}",
                f"{self.packets:,} {plural('packet', self.packets)} of sockets",
            )
        )
        if not self.failures:
            return [f"✓ {counts}, nothing failed"]
        rows = [
            f"{failure} ({times} times)" if times > 1 else failure for failure, times in Counter(self.failures).items()
        ]
        return [f"✗ {counts}, {len(self.failures)} failed:", *(printable(f"  - {row}") for row in rows)]


def _reason(data: Any) -> str:
    return str(data.get("message", data)) if isinstance(data, dict) else str(data)
