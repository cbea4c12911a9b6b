"""Access logs: the common and combined formats, JSON lines, W3C extended, and those of AWS's load balancers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import orjson

from dbz.bring.files.logs.balancers import balancer_line, is_balancer
from dbz.bring.files.logs.common import common_line
from dbz.bring.files.logs.extended import ExtendedLog
from dbz.bring.files.logs.json_lines import json_line, line_within
from dbz.bring.files.logs.line import LogLine
from dbz.bring.recording import Recording
from dbz.errors import UsageError

KNOWN_LOGS = "common, combined, JSON lines, W3C extended, ALB, ELB, CloudFront"
_METHOD = re.compile(r"[A-Z][A-Z-]*")
_CONTAINER = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d) (?:stdout|stderr) [FP] ")
"""What Kubernetes puts before each line of a container."""


class LogReader:
    """The lines of one file, in their order: what some of them say is of those after them."""

    def __init__(self) -> None:
        self._extended = ExtendedLog()

    def is_remark(self, line: str) -> bool:
        """Whether a line is a directive or a comment, which is taken in, and no request."""
        if not line.startswith("#"):
            return False
        self._extended.directive(line)
        return True

    def line(self, text: str) -> LogLine | None:
        """One line without space at its ends; None when it is of no known format, or its method is none."""
        try:
            read = self._parsed(text)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            return None
        return read if read is not None and _METHOD.fullmatch(read.exchange.method) else None

    def _parsed(self, text: str) -> LogLine | None:
        if text.startswith("{"):
            return self._of_object(orjson.loads(text))
        if self._extended.begun:
            return self._extended.line(text)
        if is_balancer(text):
            return balancer_line(text)
        if prefix := _CONTAINER.match(text):
            return self.line(text[prefix.end() :])
        return common_line(text)

    def _of_object(self, line: Any) -> LogLine | None:
        read = json_line(line)
        within = line_within(line) if read is None else ""
        return self.line(within) if within else read


def read_access_log(lines: Iterable[str], source: str) -> Recording:
    """The requests of a log, in the order of their times; `UsageError` when no line is of a known format.

    Clients, as far as the log tells them apart, are sources.
    """
    recording, reader, broken = Recording(recorded=False), LogReader(), 0
    for line in map(str.strip, lines):
        if not line or reader.is_remark(line):
            continue
        read = reader.line(line)
        if read is None:
            broken += 1
        else:
            recording.exchanges.append(read.exchange)
    if not recording.exchanges:
        raise UsageError(f"{source}: no line is of a known access log (known: {KNOWN_LOGS})", code="B001")
    if broken:
        recording.notes.append(
            f"{source}: {broken} of {broken + len(recording.exchanges)} lines cannot be read, and are left out"
        )
    return recording
