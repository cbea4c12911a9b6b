"""Flashlight: an app on a device, a sample every half second, and the time that each iteration of a test took."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dbz.runs.imports.imported import Imported, clean_name, figure, mapping, number, sequence

_MIB = 1024 * 1024
_ALL_THREADS = "Total"
"""What Flashlight calls the CPU of the whole app on iOS, where it knows no threads."""
_LAUNCH = re.compile(
    r"launch|start-?\s?up|\btti\b|time[ _-]?to[ _-]?interactive|\bboot|\b(cold|warm|hot|app)[ _-]?start"
    r"|\b(start|open)(s|ing)?[ _-]((of|the)[ _-])*app\b",
    re.IGNORECASE,
)
"""Names of tests that end when the app has started; the time of any other test is not that of a start."""


def is_flashlight(data: Any) -> bool:
    """Whether JSON is a result of Flashlight, or a list of them."""
    if isinstance(data, list):
        return bool(data) and all(isinstance(one, dict) and is_flashlight(one) for one in data)
    return isinstance(data, dict) and isinstance(data.get("iterations"), list) and "name" in data


def read_flashlight(data: Any, where: Path) -> Imported:
    """Memory, CPU (all threads and each, as shares of a core), frames a second, and the time of each iteration.

    An iteration whose test failed, or that was tried again, does not count. The experimental reports of iOS have true
    figures of the CPU only: their memory and frames are constants, their time is that of the last sample.
    """
    imported = Imported("Flashlight")
    for result in data if isinstance(data, list) else [data]:
        name = clean_name(result["name"])
        cpu_only = result.get("type") == "IOS_EXPERIMENTAL"
        if cpu_only:
            imported.notes.append("Flashlight's experimental reports of iOS know the CPU only; nothing else is taken.")
        for metric, value in _readings(result, imported, where, launch=bool(_LAUNCH.search(name))):
            if not cpu_only or metric == "import.mobile_cpu":
                imported.gauges.setdefault(metric, []).append(value)
        score = figure(result, "score", where)
        if score is not None and not cpu_only:
            imported.parts.setdefault("import.performance", {}).setdefault(name, []).append(score / 100)
        _remark(name, result, imported)
    return imported


def _readings(
    result: Mapping[str, Any], imported: Imported, where: Path, *, launch: bool
) -> Iterator[tuple[str, float]]:
    """The readings of the whole app by metric; those of threads go into `imported`."""
    for iteration in result["iterations"]:
        one = mapping(iteration, where, "iteration")
        if one.get("status", "SUCCESS") != "SUCCESS" or one.get("isRetriedIteration"):
            continue
        time_ms = figure(one, "time", where)
        if time_ms is not None:
            yield "import.app_launch" if launch else "import.test_time", time_ms
        for measure in sequence(one.get("measures") or [], where, "measures"):
            yield from _measure(mapping(measure, where, "measure"), imported, where)


def _measure(one: Mapping[str, Any], imported: Imported, where: Path) -> Iterator[tuple[str, float]]:
    cpu = mapping(one.get("cpu") or {}, where, "cpu")
    named = mapping(cpu.get("perName") or {}, where, "cpu.perName")
    by_name = {name: number(named, name, where) for name, percent in named.items() if percent is not None}
    threads = imported.parts.setdefault("import.mobile_thread_cpu", {})
    for name, percent in by_name.items():
        if name != _ALL_THREADS:
            threads.setdefault(clean_name(name), []).append(percent / 100)
    if by_name:
        yield "import.mobile_cpu", by_name.get(_ALL_THREADS, sum(by_name.values())) / 100
    memory, frames = figure(one, "ram", where), figure(one, "fps", where)
    if memory is not None:
        yield "import.mobile_memory", memory * _MIB
    if frames is not None:
        yield "import.mobile_fps", frames


def _remark(name: str, result: Mapping[str, Any], imported: Imported) -> None:
    rows = [one for one in result["iterations"] if isinstance(one, dict)]
    if result.get("status") == "FAILURE":
        imported.invalid.append(f"{name}: the test that Flashlight ran failed, so its figures say nothing")
    failed = sum(one.get("status", "SUCCESS") != "SUCCESS" and not one.get("isRetriedIteration") for one in rows)
    again = sum(bool(one.get("isRetriedIteration")) for one in rows)
    if failed or again:
        imported.notes.append(f"{name}: {failed} iterations failed and {again} were tried again; these do not count.")
    if not _LAUNCH.search(name):
        imported.notes.append(
            f"{name}: the time of this test is import.test_time. It is taken for the start of the app where its name "
            "says so (launch, startup, cold start, TTI)."
        )
