"""W3C extended logs, whose `#Fields:` say what stands where: of IIS, CloudFront and others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dbz.bring.files.logs.line import LogLine, said, time_s, without_port
from dbz.bring.recording import Exchange

_MICROSOFT = "Microsoft"
_MS_S = 0.001
EXTENDED = "cs-method"
"""A field that every line of such a log has, also where it is written as JSON."""


class ExtendedLog:
    """The lines of one file, from its directives on, which may come again in it."""

    def __init__(self) -> None:
        self._fields: Sequence[str] = ()
        self._date = ""
        self._unit_s = 1.0

    def directive(self, line: str) -> None:
        """Take in a line that begins with `#`; a comment of another kind changes nothing."""
        name, _, value = line.removeprefix("#").partition(":")
        if name == "Fields":
            self._fields = value.split()
        elif name == "Date":
            self._date = value.strip().partition(" ")[0]
        elif name == "Software" and _MICROSOFT in value:
            self._unit_s = _MS_S  # IIS has milliseconds, where the standard says seconds

    @property
    def begun(self) -> bool:
        """Whether the fields are known."""
        return bool(self._fields)

    def line(self, text: str) -> LogLine | None:
        """The request of a line; None when it has not as many fields as were named."""
        values = text.split("\t") if "\t" in text else text.split()
        if len(values) != len(self._fields):
            return None
        return extended_line({"date": self._date} | dict(zip(self._fields, values, strict=True)), self._unit_s)


def extended_line(fields: Mapping[str, object], unit_s: float = 1.0) -> LogLine | None:
    """The request of fields by their names; `time-taken` is in the unit, and the time is that of the answer."""

    def field(*names: str) -> str:
        return next((text for name in names if (text := said(str(fields.get(name, "-"))))), "")

    method, path = field(EXTENDED), field("cs-uri-stem", "cs-uri")
    if not method or not path:
        return None
    query, status, taken = field("cs-uri-query"), field("sc-status"), field("time-taken")
    duration_s = float(taken) * unit_s if taken else 0.0
    exchange = Exchange(
        method,
        f"{path}?{query}" if query and "?" not in path else path,
        # CloudFront writes 000 for a client that went away.
        status=int(status) if status.isdigit() else 0,
        started_s=_time_s(field("date"), field("time"), field("timestamp")) - duration_s,
        duration_s=duration_s,
        source=without_port(field("x-forwarded-for", "c-ip").partition(",")[0]),
    )
    return LogLine(exchange, field("cs-username"), field("cs(User-Agent)"))


def _time_s(date: str, time: str, timestamp: str) -> float:
    """Both are UTC; the newer logs of CloudFront have seconds since 1970 as well."""
    if date and time:
        return time_s(f"{date}T{time.removesuffix('Z')}+00:00")
    return float(timestamp)
