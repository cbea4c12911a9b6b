"""Lighthouse: a page in a browser, one reading a run; also as user flow, and as PageSpeed Insights wraps it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dbz.errors import UsageError
from dbz.runs.imports.imported import Imported, clean_name, figure, mapping, sequence

_AUDITS = {"fcp": "first-contentful-paint", "lcp": "largest-contentful-paint", "tti": "interactive"}
_URLS = ("requestedUrl", "finalDisplayedUrl", "finalUrl")


def is_lighthouse(data: Any) -> bool:
    """Whether JSON is a report of Lighthouse."""
    if not isinstance(data, dict):
        return False
    if isinstance(data.get("lighthouseResult"), dict):
        return is_lighthouse(data["lighthouseResult"])
    steps = data.get("steps")
    flow = isinstance(steps, list) and bool(steps) and all(isinstance(one, dict) and "lhr" in one for one in steps)
    return flow or ("lighthouseVersion" in data and isinstance(data.get("audits"), dict))


def read_lighthouse(data: Mapping[str, Any], where: Path) -> Imported:
    """FCP, LCP and TTI of one run in ms, by the URL that was asked for; `import.page_load` is the TTI, or the LCP
    where a report has none.

    Give the files of several runs: `p50` of them is the median of each page.
    """
    imported = Imported("Lighthouse")
    for report in _reports(data, where):
        settings = report.get("configSettings")
        imported.variant = clean_name((settings if isinstance(settings, dict) else {}).get("formFactor") or "mobile")
        _read_page(report, imported, where)
    return imported


def _reports(data: Mapping[str, Any], where: Path) -> Iterator[Mapping[str, Any]]:
    """The reports of a file; of a user flow those of steps in which a page was loaded."""
    if "steps" in data and "audits" not in data:
        for step in sequence(data["steps"], where, "steps"):
            report = mapping(step["lhr"], where, "lhr")
            if report.get("gatherMode", "navigation") == "navigation":
                yield report
    else:
        yield mapping(data.get("lighthouseResult", data), where, "lighthouseResult")


def _read_page(report: Mapping[str, Any], imported: Imported, where: Path) -> None:
    error = report.get("runtimeError")
    failure = (error if isinstance(error, dict) else {}).get("code", "NO_ERROR")
    if failure != "NO_ERROR":
        raise UsageError(f"{where}: Lighthouse could not load the page ({clean_name(failure)})", code="R006")
    asked, shown = (next((report[key] for key in keys if report.get(key)), "") for keys in (_URLS, _URLS[1:]))
    page = clean_name(asked or "a page without a URL").replace('"', "%22")
    audits = mapping(report["audits"], where, "audits")
    figures = {name: figure(mapping(audits.get(audit) or {}, where, audit), "numericValue", where)
               for name, audit in _AUDITS.items()}  # fmt: skip
    figures["page_load"] = figures["lcp"] if figures["tti"] is None else figures["tti"]
    if figures["page_load"] is None and any(_failed(audits.get(audit)) for audit in _AUDITS.values()):
        raise UsageError(f"{where}: Lighthouse loaded {page}, but could not measure it", code="R006")
    categories = report.get("categories")
    performance = (categories if isinstance(categories, dict) else {}).get("performance")
    figures["performance"] = figure(mapping(performance or {}, where, "performance"), "score", where)
    for name, value in figures.items():
        if value is not None:
            imported.parts.setdefault(f"import.{name}", {}).setdefault(page, []).append(value)
    if shown and asked and str(shown).rstrip("/") != str(asked).rstrip("/"):
        imported.notes.append(f"{page} led to {clean_name(shown)}, which is what Lighthouse measured.")


def _failed(audit: Any) -> bool:
    return isinstance(audit, dict) and audit.get("scoreDisplayMode") == "error"
