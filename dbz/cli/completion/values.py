"""Values that may stand for an option or argument: from names of files and a glance into them, without parsing them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from dbz.config.bundled import bundled_folder, bundled_names
from dbz.config.folders import state_dir

_MOST_RUNS = 50
_MOST_BYTES = 200_000
_PHASE = re.compile(r"^  - +name: *[\"']?([\w.-]+)", re.MULTILINE)
_SHARD = re.compile(r"^  ([\w.-]+):", re.MULTILINE)


@dataclass(frozen=True)
class Values:
    """What may stand at one place."""

    words: tuple[str, ...] = ()
    files: bool = False
    """Whether a file may stand there too."""


@dataclass(frozen=True)
class Given:
    """What stands on the command line already: the value of each option, by its name in the code."""

    options: Mapping[str, str] = field(default_factory=dict)

    def file(self, option: str, bundled: str) -> Path:
        """The file that an option names; the bundled one where it names none or `default`."""
        named = self.options.get(option, "default")
        return bundled_folder("configs") / bundled if named == "default" else Path(named)


def _profiles(_: Given) -> Values:
    return Values(tuple(bundled_names("configs/profiles", ".yaml")), files=True)


def _budgets(_: Given) -> Values:
    return Values(tuple(bundled_names("configs/budgets", ".yaml")), files=True)


def _phases_file(_: Given) -> Values:
    return Values(("default", "triggers"), files=True)


def _phases(given: Given) -> Values:
    return Values(tuple(_PHASE.findall(_beginning(given.file("phases", "phases.yaml")))))


def _shards(given: Given) -> Values:
    text = _beginning(given.file("config", "shards.yaml"))
    below = re.search(r"^shards:.*\n((?:[ #].*\n|\n)*)", text, re.MULTILINE)
    return Values(tuple(_SHARD.findall(below[1])) if below else ())


def _runs(given: Given) -> Values:
    """Runs, the newest first: their ids begin with the time."""
    folder = Path(given.options.get("reports", "reports"))
    entries = sorted(folder.iterdir(), reverse=True) if folder.is_dir() else []
    runs = (entry.name for entry in entries if (entry / "run.json").exists())
    return Values(("latest", *islice(runs, _MOST_RUNS)), files=True)


def _changes(_: Given) -> Values:
    """Changes in the journal of `dbz scale`, the newest first."""
    return Values(tuple(sorted((path.stem for path in (state_dir() / "scale").glob("*.jsonl")), reverse=True)))


def _codes(_: Given) -> Values:
    from dbz.codes.register import KINDS

    return Values(tuple(kind.shown for kind in KINDS))


def _shells(_: Given) -> Values:
    from dbz.cli.completion.scripts import SCRIPTS

    return Values(tuple(SCRIPTS))


def _orders(_: Given) -> Values:
    return Values(("status", "pause", "resume", "rate", "switch"))


SOURCES: Mapping[str, Callable[[Given], Values]] = {
    "base": _runs,
    "baseline": _runs,
    "budgets": _budgets,
    "change": _changes,
    "code": _codes,
    "add": _shards,
    "drain": _shards,
    "new": _runs,
    "order": _orders,
    "phase": _phases,
    "phases": _phases_file,
    "profile": _profiles,
    "resume": _changes,
    "run": _runs,
    "shell": _shells,
    "subject": _profiles,
}
"""Where the values of a parameter come from, by its name in the code; a test knows whether each is one."""


def _beginning(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(_MOST_BYTES)
