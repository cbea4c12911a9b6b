"""Lighthouse (a page in a browser) and Flashlight (an app on a device): one reading a run, or a sample of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dbz.errors import UsageError
from dbz.runs.imports.imported import Imported, mapping, sequence

_MIB = 1024 * 1024
_FLASHLIGHT = {f"import.{name}" for name in ("app_launch", "performance", "mobile_cpu", "mobile_memory", "mobile_fps")}
_ALL_THREADS = "Total"
"""What Flashlight calls the CPU of the whole app on iOS, where it knows no threads."""
_AUDITS = {"fcp": "first-contentful-paint", "lcp": "largest-contentful-paint", "tti": "interactive"}


def is_lighthouse(data: Any) -> bool:
    """Whether JSON is a report of Lighthouse."""
    return isinstance(data, dict) and "lighthouseVersion" in data and isinstance(data.get("audits"), dict)


def read_lighthouse(data: Mapping[str, Any], where: Path) -> Imported:
    """FCP, LCP and TTI of one run, in ms; `import.page_load` is the TTI, or the LCP where a report has none.

    Give the files of several runs: `p50` of them is their median.
    """
    failure = (data.get("runtimeError") or {}).get("code", "NO_ERROR")
    if failure != "NO_ERROR":
        raise UsageError(f"{where}: Lighthouse could not load the page ({failure})")
    imported = Imported("Lighthouse")
    for name, audit in _AUDITS.items():
        value = mapping(data["audits"].get(audit, {}), where, audit).get("numericValue")
        if isinstance(value, int | float):
            imported.gauges[f"import.{name}"] = [float(value)]
    loaded = imported.gauges.get("import.tti") or imported.gauges.get("import.lcp")
    if loaded:
        imported.gauges["import.page_load"] = list(loaded)
    score = data.get("categories", {}).get("performance", {}).get("score")
    if isinstance(score, int | float):
        imported.gauges["import.performance"] = [float(score)]
    return imported


def is_flashlight(data: Any) -> bool:
    """Whether JSON is a result of Flashlight, or a list of them."""
    if isinstance(data, list):
        return bool(data) and all(is_flashlight(one) for one in data)
    return isinstance(data, dict) and isinstance(data.get("iterations"), list) and "name" in data


def read_flashlight(data: Any, where: Path) -> Imported:
    """Memory, CPU (all threads and each, as shares of a core), frames a second, and the time of each iteration.

    An iteration whose test failed, or that was tried again, does not count. The experimental reports of iOS have true
    figures of the CPU only: their memory and frames are constants, their time is that of the last sample.
    """
    imported = Imported("Flashlight")
    for result in data if isinstance(data, list) else [data]:
        if result.get("type") == "IOS_EXPERIMENTAL":
            imported.notes.append("Flashlight's experimental reports of iOS know the CPU only; nothing else is taken.")
            known = {"import.mobile_cpu"}
        else:
            known = _FLASHLIGHT
        for name, value in _readings(result, imported, where):
            if name in known:
                imported.gauges.setdefault(name, []).append(float(value))
    return imported


def _readings(result: Mapping[str, Any], imported: Imported, where: Path) -> Iterator[tuple[str, float]]:
    """The readings of the whole app by metric; those of threads go into `imported`."""
    for iteration in result["iterations"]:
        one = mapping(iteration, where, "iteration")
        if one.get("status", "SUCCESS") != "SUCCESS" or one.get("isRetriedIteration"):
            continue
        if isinstance(one.get("time"), int | float):
            yield "import.app_launch", one["time"]
        for measure in sequence(one.get("measures", []), where, "measures"):
            yield from _measure(mapping(measure, where, "measure"), imported, where)
    if isinstance(result.get("score"), int | float):
        yield "import.performance", result["score"] / 100


def _measure(one: Mapping[str, Any], imported: Imported, where: Path) -> Iterator[tuple[str, float]]:
    named = mapping(one.get("cpu", {}).get("perName", {}), where, "cpu.perName")
    by_name = {name: percent for name, percent in named.items() if percent is not None}
    threads = imported.parts.setdefault("import.mobile_thread_cpu", {})
    for name, percent in by_name.items():
        if name != _ALL_THREADS:
            threads.setdefault(name, []).append(percent / 100)
    if by_name:
        yield "import.mobile_cpu", sum(by_name.values()) / 100
    if one.get("ram") is not None:
        yield "import.mobile_memory", one["ram"] * _MIB
    if one.get("fps") is not None:
        yield "import.mobile_fps", one["fps"]
