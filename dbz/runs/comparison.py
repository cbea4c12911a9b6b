"""Runs against runs: finding them, refusing what cannot be compared, and putting the result into words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbz.errors import UsageError
from dbz.measure.comparison import ERROR_STAT, Change, Difference, Terms, compare
from dbz.measure.limits import format_value
from dbz.measure.measuring import Measurements
from dbz.runs.aggregate import measurements
from dbz.runs.comparable import cautions, obstacles, profile_hash
from dbz.runs.compared import ComparedFigure, Comparison
from dbz.runs.folder import RunFolder, find_run, list_runs
from dbz.runs.reading import read_record
from dbz.runs.schema import Run

FORCE_HINT = "compare runs of one profile, or take the figures as they are with --force"


def find_runs(reports: Path, name: str) -> list[RunFolder]:
    """The runs that a name stands for: those of a folder of runs, or the one that a path, an id or `latest` names."""
    inside = list_runs(Path(name)) if Path(name).is_dir() else []
    return inside or [find_run(reports, name)]


class Side:
    """Repeated runs of the same code, with their measurements."""

    def __init__(self, folders: Sequence[RunFolder]) -> None:
        self.runs = [folder.load() for folder in folders]
        records = [read_record(folder) for folder in folders]
        self.found: list[Measurements] = [measurements(record, record.window) for record in records]


def refuse_incomparable(base: Sequence[Run], new: Sequence[Run], *, force: bool) -> list[str]:
    """What speaks against a comparison; `UsageError` with all of it unless it is forced."""
    first = base[0]
    against = [text for run in (*base[1:], *new) for text in obstacles(first, run)]
    return refused(against, force=force)


def refused(against: Sequence[str], *, force: bool) -> list[str]:
    """What speaks against a comparison, each once; `UsageError` unless it is forced."""
    every = list(dict.fromkeys(against))
    if every and not force:
        raise UsageError("these runs cannot be compared:\n  " + "\n  ".join(every), hint=FORCE_HINT)
    return every


@dataclass(frozen=True)
class Baseline:
    """What a run is compared with, on which terms; `forced` says why it should not be.

    `earlier` are runs of the same code as the one that is compared, which make its side.
    """

    side: Side
    terms: Terms
    forced: tuple[str, ...] = ()
    earlier: tuple[RunFolder, ...] = ()

    def compare(self, run: Run, found: Measurements) -> Comparison:
        """The comparison with a run that has just been measured."""
        new = Side(self.earlier)
        new.runs.append(run)
        new.found.append(found)
        return compare_sides(self.side, new, self.terms, self.forced)


def compare_sides(base: Side, new: Side, terms: Terms, forced: Sequence[str] = ()) -> Comparison:
    """The comparison of two sides that may be compared."""
    figures = compare(base.found, new.found, terms)
    single = len(base.runs) == len(new.runs) == 1
    names = [{(of.kind, of.name) for found in side.found for of in found.latencies} for side in (base, new)]
    compared = {(one.series.kind, one.series.name) for one in figures}
    return Comparison(
        base=[run.id for run in base.runs],
        new=[run.id for run in new.runs],
        profile_hash=profile_hash(new.runs[0].profile),
        forced=list(forced),
        cautions=cautions(base.runs[0], new.runs[-1]),
        threshold=terms.threshold,
        assumed_noise=terms.noise if single else None,
        figures=[_figure(one, len(base.runs), len(new.runs)) for one in figures],
        missing=sorted(
            f"{name} is only in the {'base' if at == 0 else 'new'} runs"
            for at in (0, 1)
            for kind, name in names[at] - names[1 - at]
            if (kind, name) not in compared and kind not in ("generator", "service", "unfinished")
        ),
    )


def _figure(one: Difference, base_runs: int, new_runs: int) -> ComparedFigure:
    numbers: dict[str, Any] = {
        key: round(getattr(one, key), 6) for key in ("base", "new", "change", "low", "high", "noise", "p")
    }
    return ComparedFigure(
        kind=one.series.kind,
        operation=one.series.name,
        stat=one.stat,
        **numbers,
        verdict=one.verdict,
        sentence=_sentence(one, base_runs, new_runs),
    )


def _sentence(one: Difference, base_runs: int, new_runs: int) -> str:
    """Which operation, how much, and how sure."""
    errors = one.stat == ERROR_STAT
    unit = "%" if errors else "ms"
    points = " points" if errors else " %"
    words = {Change.WORSE: "more errors" if errors else "slower", Change.BETTER: "fewer errors" if errors else "faster"}
    became = words.get(one.verdict, "not clearly different" if one.verdict is Change.UNCLEAR else "the same")
    sure = f"95 % interval {one.low * 100:+.2g} to {one.high * 100:+.2g}{points}"
    chance = "p < 0.0001" if one.p < 0.0001 else f"p = {one.p:.2g}"
    runs = f"{base_runs} and {new_runs} runs" if base_runs + new_runs > 2 else "single runs"
    return (
        f"{one.series.kind} {one.series.name} is {became}: {one.stat} {format_value(one.new, unit)} against "
        f"{format_value(one.base, unit)}, {one.change * 100:+.3g}{points} ({sure}, {chance}, {runs})"
    )
