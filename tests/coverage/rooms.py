"""What is measured, and that added up by room: a package below `dbz`, or the modules beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from coverage import Coverage, CoverageData
from coverage.results import Analysis

BESIDE = "beside the rooms"
_SETTINGS = """
[run]
branch = true
parallel = true
data_file = {data}
include = {root}/dbz/*
concurrency = thread,greenlet
patch = subprocess,fork,_exit
sigterm = true
disable_warnings = no-data-collected,module-not-measured
"""
_NOT_COUNTED = ["if TYPE_CHECKING", 'if __name__ == "__main__"', r"^\s*\.\.\.$", "assert_never"]


@dataclass
class Room:
    """A package with what the tests took of it."""

    name: str
    lines: int = 0
    lines_taken: int = 0
    branches: int = 0
    branches_taken: int = 0
    """A branch is one way on from a line that has several."""
    missing: dict[str, str] = field(default_factory=dict)
    """By module: lines never reached, and `3->7` for a way on that was never taken."""

    def add(self, module: str, analysis: Analysis) -> None:
        """Count a module."""
        numbers = analysis.numbers
        self.lines += numbers.n_statements
        self.lines_taken += numbers.n_executed
        self.branches += numbers.n_branches
        self.branches_taken += numbers.n_executed_branches
        if analysis.missing or (analysis.has_arcs and numbers.n_missing_branches):
            self.missing[module] = analysis.missing_formatted(branches=True)


def settings_for(data: Path, root: Path) -> str:
    """Settings of coverage.py with which every process measures `dbz` below `root`, into files named after `data`."""
    return _SETTINGS.format(data=data, root=root)


def measured_rooms(kept: Sequence[Path], root: Path) -> list[Room]:
    """The rooms by name, from files of data; a module that no test imported counts too."""
    measured = Coverage(data_file=None, config_file=False, branch=True)
    measured.set_option("report:exclude_also", _NOT_COUNTED)
    modules = sorted((root / "dbz").rglob("*.py"))
    data = measured.get_data()
    for file in kept:
        one = CoverageData(str(file))
        one.read()
        data.update(one)
    data.touch_files(map(str, modules))
    rooms: dict[str, Room] = {}
    for path in modules:
        parts = path.relative_to(root / "dbz").parts
        name = f"dbz.{parts[0]}" if len(parts) > 1 else BESIDE
        analysis = measured._analyze(str(path))
        rooms.setdefault(name, Room(name)).add(str(path.relative_to(root)), analysis)
    return sorted(rooms.values(), key=lambda room: (room.name == BESIDE, room.name))


def table(rooms: Sequence[Room]) -> str:
    """The rooms as a Markdown table, with their sum."""
    total = Room("**all**")
    for room in rooms:
        total.lines += room.lines
        total.lines_taken += room.lines_taken
        total.branches += room.branches
        total.branches_taken += room.branches_taken
    head = "| room | lines | reached | branches | taken |\n| --- | ---: | ---: | ---: | ---: |\n"
    return head + "".join(
        f"| {f'`{room.name}`' if room.name.startswith('dbz') else room.name} | {room.lines:,} | "
        f"{_share(room.lines_taken, room.lines)} | {room.branches:,} | {_share(room.branches_taken, room.branches)} |\n"
        for room in (*rooms, total)
    )


def lines_missing(rooms: Sequence[Room]) -> str:
    """What no test reached, a line for each module."""
    return "".join(f"{module}: {lines}\n" for room in rooms for module, lines in sorted(room.missing.items()))


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"
