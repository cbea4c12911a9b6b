"""Telling by its contents which tool wrote a file, and putting several files together."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dbz.bounded import RESULTS, parse_json, read_within
from dbz.errors import UsageError
from dbz.measure.budget.measuring import Measurements
from dbz.measure.latency.attempts import Latency
from dbz.measure.latency.histogram import merged
from dbz.measure.latency.summaries import Summaries
from dbz.runs.imports import (
    artillery,
    autocannon,
    bombardier,
    flashlight,
    gatling,
    k6,
    lighthouse,
    locust,
    oha,
    vegeta,
)
from dbz.runs.imports.elsewhere import instead_of
from dbz.runs.imports.imported import Imported
from dbz.runs.imports.printed_reports import ab, h2load, hey, siege, wrk
from dbz.runs.imports.sample_files import gatling_log, h2load_log, jmeter, jmeter_xml, k6_points, vegeta_results

_JSON: Sequence[tuple[Callable[[Any], bool], Callable[[Any, Path], Imported]]] = (
    (k6.is_k6, k6.read_k6),
    (artillery.is_artillery, artillery.read_artillery),
    (vegeta.is_vegeta, vegeta.read_vegeta),
    (oha.is_oha, oha.read_oha),
    (autocannon.is_autocannon, autocannon.read_autocannon),
    (bombardier.is_bombardier, bombardier.read_bombardier),
    (gatling.is_gatling, gatling.read_gatling),
    (lighthouse.is_lighthouse, lighthouse.read_lighthouse),
    (flashlight.is_flashlight, flashlight.read_flashlight),
    (locust.is_locust_json, locust.read_locust_json),
)
_LINES: Sequence[tuple[Callable[[Path], bool], Callable[[Path], Imported]]] = (
    (k6_points.is_k6_points, k6_points.read_k6_points),
    (jmeter.is_jmeter, jmeter.read_jmeter),
    (jmeter_xml.is_jmeter_xml, jmeter_xml.read_jmeter_xml),
    (vegeta_results.is_vegeta_results, vegeta_results.read_vegeta_results),
    (gatling_log.is_gatling_log, gatling_log.read_gatling_log),
    (hey.is_hey_rows, hey.read_hey_rows),
    (h2load_log.is_h2load_log, h2load_log.read_h2load_log),
)
"""Files of samples, which are told by their beginning and read piece by piece."""
_TEXTS: Sequence[tuple[Callable[[str], bool], Callable[[str, Path], Imported]]] = (
    (locust.is_locust_csv, locust.read_locust_csv),
    (hey.is_hey, hey.read_hey),
    (wrk.is_wrk, wrk.read_wrk),
    (ab.is_ab, ab.read_ab),
    (h2load.is_h2load, h2load.read_h2load),
    (siege.is_siege, siege.read_siege),
)
KNOWN = (
    "k6 (--summary-export, handleSummary, --new-machine-readable-summary, --out json, --out csv), "
    "Locust (_stats.csv, --json), Artillery (--output), vegeta (report -type=json, encode), "
    "oha (--output-format json), autocannon (--json), bombardier (-l -o json -p r), "
    "hey, wrk, ab, h2load and siege (what they print), h2load (--log-file), "
    "JMeter (-l results.jtl, as CSV or XML), Gatling (js/stats.json of its report, simulation.log as text), "
    "Lighthouse (JSON), Flashlight (JSON)"
)
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""That of UTF-32 begins with that of UTF-16, so it is looked for first."""
_FOLDER = ("lhr-*.json", "*.report.json")
"""What Lighthouse CI calls the runs in its folder, and in one that it uploaded to."""


def read_files(paths: Sequence[Path]) -> list[tuple[Path, Imported]]:
    """The figures of files, of the runs in folders of Lighthouse CI, and of the files that Locust writes together.

    `UsageError` when one cannot be read or is of no known tool.
    """
    every = [path for given in paths for path in _inside(given)]
    totals = {locust.run_of(path) for path in every} - {None}
    imported = []
    for path in every:
        part = locust.part_of(path)
        if part and path.parent / part.run in totals:
            if part.kind == "exceptions":
                imported.append((path, locust.read_exceptions(_text(path), path)))
            continue  # failures and the history are in the totals of the same run already
        imported.append((path, read_file(path)))
    return imported


def _inside(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    runs = sorted(run for pattern in _FOLDER for run in path.glob(pattern))
    if not runs:
        raise UsageError(f"{path} is a folder without results of Lighthouse CI ({', '.join(_FOLDER)})", code="R003")
    return runs


def read_file(path: Path) -> Imported:
    """The figures of one file; `UsageError` when it cannot be read or is of no known tool."""
    for begins, read_lines in _LINES:
        if begins(path):
            return read_lines(path)
    text = _text(path).replace("\r\n", "\n")  # Windows writes what tools print so
    for is_text, read_text in _TEXTS:
        if is_text(text):
            return read_text(text, path)
    known = instead_of(text)
    if known:
        raise UsageError(f"{path} is {known[0]}, and not read", hint=f"give instead: {known[1]}", code="R003")
    try:
        data = parse_json(text, str(path))
    except ValueError as error:
        why = f": {error}" if text.lstrip().startswith(("{", "[")) else ""
        raise UsageError(
            f"{path} is neither JSON nor a text or a CSV of a known tool{why}", hint=f"known: {KNOWN}", code="R003"
        ) from error
    for fits, read in _JSON:
        if fits(data):
            try:
                return read(data, path)
            except (LookupError, TypeError, ArithmeticError, ValueError, AttributeError) as error:
                raise UsageError(
                    f"{path} is damaged or of a version that dbz does not know: {error!r}", code="R004"
                ) from error
    raise UsageError(f"{path} is of no tool that dbz knows", hint=f"known: {KNOWN}", code="R003")


def _text(path: Path) -> str:
    """The text of a file in UTF-8, or in what its byte order mark says: PowerShell redirects into UTF-16."""
    try:
        raw = read_within(path, RESULTS)
        encoding = next((name for mark, name in _BYTE_ORDER_MARKS if raw.startswith(mark)), "utf-8")
        return raw.decode(encoding)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"it is not {error.encoding.upper()} text"
        raise UsageError(f"cannot read {path}: {reason}", code="E005") from error


def together(imported: Sequence[tuple[Path, Imported]]) -> Measurements:
    """All files as one; `UsageError` when two have finished figures of the same thing, which cannot be added up."""
    found = Measurements(seconds=max((one.seconds for _, one in imported), default=0.0), summaries=Summaries())
    gauges: dict[str, list[float]] = {}
    parts: dict[str, dict[str, list[float]]] = {}
    variants = {one.variant for _, one in imported if one.variant}
    for path, one in imported:
        for of, summary in one.summaries.items():
            if of in found.summaries.by_series:
                raise UsageError(
                    f"{path} has {of.kind} {of.name} like a file before it: percentiles cannot be added up", code="R005"
                )
            found.summaries.by_series[of] = summary
        for of, latency in one.latencies.items():
            found.latencies[of] = _both(found.latencies.get(of), latency)
        for metric, values in one.gauges.items():
            gauges.setdefault(metric, []).extend(values)
        for metric, by_part in one.parts.items():
            for part, values in by_part.items():
                label = f"{part} ({one.variant})" if one.variant and len(variants) > 1 else part
                parts.setdefault(metric, {}).setdefault(label, []).extend(values)
    _refuse_mixed(imported)
    found.gauges = dict(gauges)
    found.parts = parts
    return found


def _refuse_mixed(imported: Sequence[tuple[Path, Imported]]) -> None:
    """`UsageError` when some files have samples and others figures of attempts: a budget would see the former only."""
    samples = [path for path, one in imported if one.latencies]
    figures = [path for path, one in imported if one.summaries]
    if samples and figures:
        raise UsageError(
            f"{samples[0]} has the samples of attempts and {figures[0]} finished figures, which cannot be added up",
            hint="judge them one after the other; of one run of Locust give either the JSON or the CSV",
            code="R005",
        )


def _both(earlier: Latency | None, later: Latency) -> Latency:
    if earlier is None:
        return later
    return Latency(merged([earlier.ok, later.ok]), merged([earlier.failed, later.failed]), later.rounding)
