"""From an access log to all that is written of it: its visitors' chain, how well that fits, scenario and profile."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from dbz.bring.choosing import Choice
from dbz.bring.learning.operations import LogOperations, LogSurvey, left_out_notes, survey
from dbz.bring.learning.reading import AccessLogs
from dbz.bring.learning.texts import VisitLoad, behaviour_text, visits_profile
from dbz.bring.learning.visitors import TIMEOUT_S, SeenVisits, follow
from dbz.bring.recording import Recording
from dbz.bring.script import script_of
from dbz.bring.writing.visits import bodies_missing, visits_text
from dbz.masking import without_user
from dbz.measure.behaviour.chain import Behaviour
from dbz.measure.behaviour.fit import FEWEST_VISITS, Fit, Variation, fit_of
from dbz.measure.behaviour.think_time import evenly
from dbz.measure.behaviour.visits import VisitCounts, learn
from dbz.units import counted, format_days, format_duration

LONGEST_BETWEEN_S = 10.0
"""Users come again after so long on average, also where a log has fewer visits: a load is there to measure."""
_ANSWER_S = 1.0
"""A visit takes so much longer than its log says: its last request is answered as well."""


@dataclass(frozen=True)
class LearntLog:
    """What was learnt of a log, and the texts of the files that say so."""

    behaviour: Behaviour
    fit: Fit
    model: str
    scenario: str
    profile: str
    target: str
    secrets: Sequence[str]
    about: Sequence[str]
    """What it was made from and how well it fits, a line each."""
    notes: Sequence[str]
    """What was left out, and why."""


@dataclass(frozen=True)
class ModelFiles:
    """Where it is written to."""

    model: Path
    scenario: Path

    @property
    def profile(self) -> Path:
        """Beside the scenario."""
        return self.scenario.with_suffix(".yaml")


def learn_log(paths: Sequence[Path], choice: Choice, files: ModelFiles, timeout_s: float = TIMEOUT_S) -> LearntLog:
    """Learn what the visitors of a log do; `UsageError` when it cannot be read, or holds nothing to be learnt.

    The log is read twice, and never held in memory.
    """
    logs = AccessLogs(paths)
    found = survey(logs.lines(), choice)
    operations = LogOperations(found, choice)
    followed = follow(logs.lines(), operations, found.first_s, found.last_s, timeout_s)
    fit = fit_of(learn(followed.made_from), followed.made_from, followed.held_out)
    counts = VisitCounts()
    counts.add(followed.made_from)
    counts.add(followed.held_out)
    load, mean_between_s = _load(found, followed, counts)
    behaviour = learn(counts, evenly(0, 2 * mean_between_s))
    source = ", ".join(path.name for path in paths)
    about = [_made_from(source, counts, found), *_fit_lines(fit, counts, behaviour)]
    script = script_of(Recording(exchanges=followed.samples, recorded=False, origin=operations.origin), choice)
    script.origin = without_user(choice.target or operations.origin)
    notes = [one.note() for one in logs.files if one.broken] + left_out_notes(found, operations)
    notes += _cut_notes(followed, timeout_s)
    if mean_between_s == LONGEST_BETWEEN_S:
        notes.append(
            f"the log has a visit only every {format_days(found.length_s / counts.visits)}: the load has more, by "
            f"users who come again after {LONGEST_BETWEEN_S:g} s on average"
        )
    if missing := bodies_missing(script):
        notes.append(f"a log keeps no bodies: give some to {', '.join(missing)}")
    relative = PurePath(os.path.relpath(files.model, files.scenario.parent))
    scenario = visits_text(script, f"Made from {source} by dbz import --model.", relative)
    profile = visits_profile(files.scenario.stem, files.scenario.name, script.origin, load)
    return LearntLog(
        behaviour, fit, behaviour_text(behaviour, about), scenario, profile, script.origin, script.secrets, about, notes
    )


def _load(found: LogSurvey, followed: SeenVisits, counts: VisitCounts) -> tuple[VisitLoad, float]:
    """How many users come as often as the log's visitors did, and how long each is away between two visits."""
    length_s = max(found.length_s, _ANSWER_S)
    users = max(math.ceil((followed.active_s + counts.visits * _ANSWER_S) / length_s), 1)
    between_s = min(max(users * length_s - followed.active_s, 0) / counts.visits, LONGEST_BETWEEN_S)
    requests = counts.requests.total()
    hours = max(length_s / 3600, 1)
    busiest = max(found.hours.values()) / (sum(found.hours.values()) / hours)
    return VisitLoad(users, max(busiest, 1.0), requests / length_s), between_s


def _made_from(source: str, counts: VisitCounts, found: LogSurvey) -> str:
    requests = counts.requests.total()
    return (
        f"Learnt from {source}: {counted(requests, 'request')} in {counted(counts.visits, 'visit')} "
        f"within {format_days(found.length_s)}; {counted(len(counts.requests), 'operation')}."
    )


def _fit_lines(fit: Fit, counts: VisitCounts, behaviour: Behaviour) -> list[str]:
    chain = behaviour.visit_lengths()
    mean = sum(number * share for number, share in enumerate(chain, 1))
    seen = sum(length * count for length, count in counts.lengths.items()) / max(counts.lengths.total(), 1)
    visit = f"Requests of a visit: {seen:.3g} on average, {_middle(counts)} in the middle; the chain makes {mean:.3g}."
    if fit.visits < FEWEST_VISITS:
        return [visit, fit.sentence()]
    shown = [
        f"operations {_shown(fit.operations)}", f"what follows {_shown(fit.moves)}",
        f"what follows after that {_shown(fit.later)}", f"pauses {_shown(fit.pauses)}",
        f"requests of a visit {_shown(fit.lengths)}",
    ]  # fmt: skip
    return [
        visit,
        f"Fit on {counted(fit.visits, 'visit')} that were held out, as total variation (in brackets: chance alone):",
        f"  {', '.join(shown)}",
        fit.sentence(),
    ]


def _middle(counts: VisitCounts) -> int:
    """The median number of requests of a visit."""
    seen, half = 0, counts.lengths.total() / 2
    for length in sorted(counts.lengths):
        seen += counts.lengths[length]
        if seen >= half:
            return length
    return 0


def _shown(variation: Variation) -> str:
    return f"{variation.found * 100:.1f} % ({variation.by_chance * 100:.1f} %)"


def _cut_notes(followed: SeenVisits, timeout_s: float) -> list[str]:
    notes = []
    if followed.whole:
        notes.append(
            f"the log is shorter than four time-outs of {format_duration(timeout_s)}: visits that its ends cut count "
            "as they are"
        )
    if followed.cut:
        notes.append(f"{counted(followed.cut, 'visit')} of too many at once were taken to have ended early")
    return notes
