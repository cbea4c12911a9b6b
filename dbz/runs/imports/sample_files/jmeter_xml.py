"""JMeter: every sample of a run as JTL in XML (`jmeter.save.saveservice.output_format=xml`), compressed or not.

What lies within a sample of HTTP (redirects, embedded resources) is part of it. What lies within that of a transaction
controller are requests of their own. The file is read in pieces, and one that declares a document type is refused:
entities could make any size of it.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from dbz.errors import UsageError
from dbz.measure.latency.series import COMPOSITE, HTTP, Series
from dbz.runs.imports.imported import Imported, clean_name
from dbz.runs.imports.sample_files.jmeter import NOTE, OUTCOMES, TRANSACTION
from dbz.runs.imports.sample_files.opening import opened
from dbz.runs.imports.sample_files.samples import FileSamples

_ROOT = b"<testResults"
_HEAD_BYTES = 1000
_PIECE_BYTES = 1 << 16
_SAMPLES = ("httpSample", "sample")


def is_jmeter_xml(path: Path) -> bool:
    """Whether a file is a JTL in XML, by its beginning."""
    try:
        with opened(path) as file:
            return _ROOT in file.read(_HEAD_BYTES)
    except (OSError, EOFError, zlib.error):
        return False


def read_jmeter_xml(path: Path) -> Imported:
    """The histograms of all samples; `UsageError` naming the line of one that cannot be read."""
    reader = _Reader(path)
    try:
        with opened(path) as file:
            while piece := file.read(_PIECE_BYTES):
                reader.parser.Parse(piece, False)
        reader.parser.Parse(b"", True)
    except expat.ExpatError as error:
        reason = expat.errors.messages[error.code]
        raise UsageError(f"{path}:{error.lineno}: this is no XML: {reason}; is it cut off?", code="R004") from error
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"cannot read {path}: {error}", code="E005") from error
    return reader.samples.imported("JMeter", NOTE)


class _Reader:
    """Where the parser is: what each open element is, from the root on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: list[str] = []
        self.samples = FileSamples(path, "labels")
        self.parser = expat.ParserCreate()
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.StartElementHandler = self._begin
        self.parser.EndElementHandler = lambda _name: self._open.pop()

    def _refuse(self, *_declared: object) -> NoReturn:
        raise UsageError(f"{self._path}: a JTL declares no document type", code="R004")

    def _begin(self, name: str, attributes: Mapping[str, str]) -> None:
        kind = self._kind(attributes) if name in _SAMPLES else ""
        if kind and all(outer in ("", COMPOSITE) for outer in self._open):
            self._add(kind, attributes)
        self._open.append(kind)

    @staticmethod
    def _kind(attributes: Mapping[str, str]) -> str:
        return COMPOSITE if attributes.get("rm", "").startswith(TRANSACTION) else HTTP

    def _add(self, kind: str, attributes: Mapping[str, str]) -> None:
        where = f"{self._path}:{self.parser.CurrentLineNumber}"
        try:
            failed = OUTCOMES[attributes["s"].lower()]
            begun_ms, elapsed_ms = float(attributes["ts"]), float(attributes["t"])
            series = Series(kind, clean_name(attributes["lb"]))
        except (KeyError, ValueError) as error:
            raise UsageError(
                f"{where}: this is no sample of JMeter (ts, t, lb and s are needed): {error}", code="R004"
            ) from error
        self.samples.add(series, begun_ms, elapsed_ms, failed, where)
