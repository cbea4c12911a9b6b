"""What goes wrong without failing, in words: answers of a good status that say so or whose content became another, and
messages that reach others than those for whom they were meant, or arrive twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from dbz.measure.budget.budgets import Budget
from dbz.measure.budget.measuring import Measurements
from dbz.measure.latency.series import DELIVERY
from dbz.protocols.objections import CONTENTS
from dbz.runs.fold import DOUBTFUL, line_inside
from dbz.runs.schema import Window
from dbz.runs.storage.reading import Record
from dbz.units import counted

_MOST_NOTES = 3
_ANSWERS = {"http.doubtful": "answer", "ack.doubtful": "acknowledgement"}
_UNASKED = {"delivery.astray": "reached somebody who is not in their room", "delivery.duplicated": "arrived twice"}
"""Deliveries that nobody expects, and what is said of them."""
_TO_JUDGE = ", and count as successes: judge them in the scenario (self.check), or by a budget on "
_CALLED = {"empty": "empty", "other": "of another kind"}


def doubt_notes(record: Record, window: Window, found: Measurements, budgets: Sequence[Budget]) -> list[str]:
    """What a reader should know of answers that count as good: which say otherwise, and which changed their content."""
    texts = _texts(record, window)
    rows = [
        (wrong, of, metric, name)
        for metric in DOUBTFUL
        for name, (wrong, of) in found.deliveries.get(metric, {}).items()
        if wrong
    ]
    notes = [
        f"{wrong:,} of {counted(of, f'good {_ANSWERS[metric]}')} to {name} say that something went wrong "
        f"({texts.get((DOUBTFUL[metric], name), '')}){'' if _judged(budgets, metric, name) else _TO_JUDGE + metric}"
        for wrong, of, metric, name in sorted(rows, key=lambda row: (-row[0], row[2:]))
    ]
    changed = [
        _changed(name, contents) for name, contents in _contents(record).items() if _may_not_change(name, contents)
    ]
    return [*notes[:_MOST_NOTES], *_rest(notes, "operations with such answers"), *changed[:_MOST_NOTES]]


def nothing_right(record: Record, window: Window, found: Measurements, budgets: Sequence[Budget]) -> list[str]:
    """Why a run in which every answer says that something went wrong has shown nothing; empty when one does not.

    Budgets on such answers say themselves how many there may be, where there is one for each kind that there was.
    """
    counts = {metric: found.deliveries.get(metric, {}).values() for metric in DOUBTFUL}
    rows = [one for each in counts.values() for one in each]
    wrong, of = sum(one for one, _ in rows), sum(one for _, one in rows)
    about = {budget.of.metric.name for budget in budgets}
    judged = all(metric in about for metric, each in counts.items() if each)
    if judged or not of or wrong < of or len(found.attempts((DELIVERY,)).ok):
        return []
    (_, name), text = next(iter(_texts(record, window).items()))
    reason = (
        f"every answer of a good status says that something went wrong ({name}: {text}): how fast a service says so is "
        f"no measure of it; mend the requests, or say with a budget on {' or '.join(DOUBTFUL)} how many there may be"
    )
    return [reason]


def unasked_deliveries(found: Measurements, budgets: Sequence[Budget]) -> list[str]:
    """Why a run fails in which messages reached somebody who is not in their room, or somebody twice, more of those
    expected than budgets on `errors` allow: no app shows them as they should be. Budgets on them say so themselves.
    """
    limits = [one.limit for one in budgets if one.of.metric.name == "errors" and not one.of.filters and one.limit.known]
    return [
        f"{counted(unasked, 'message')} of {event} {what}, of {expected:,} expected: "
        f"a budget on {metric} says how many there may be"
        for metric, what in _UNASKED.items()
        for event, (unasked, expected) in found.deliveries.get(metric, {}).items()
        if unasked and not _judged(budgets, metric, event)
        if not all(limit.holds(min(unasked / max(expected, 1), 1.0)) for limit in limits)
    ]


def _judged(budgets: Sequence[Budget], metric: str, name: str) -> bool:
    """Whether a budget is about what such a metric counts of an operation or event."""
    return any(budget.of.metric.name == metric and budget.of.matches(name) for budget in budgets)


def _texts(record: Record, window: Window) -> dict[tuple[str, str], str]:
    """By kind and name the most frequent of what answers say."""
    said: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for lines in record.workers.values():
        for line in lines:
            if line_inside(line, window):
                for kind, name, text, count in line.get("objections", ()):
                    said[kind, name][text] += count
    return {of: texts.most_common(1)[0][0] for of, texts in said.items()}


def _contents(record: Record) -> dict[str, Counter[str]]:
    """By operation how many answers had which kind of content, in the whole run: what changed before the judged part
    has changed too."""
    found: dict[str, Counter[str]] = {}
    for lines in record.workers.values():
        for line in lines:
            for name, counts in line.get("contents", {}).items():
                found.setdefault(name, Counter()).update(dict(zip(CONTENTS, counts, strict=True)))
    return {name: +counts for name, counts in sorted(found.items())}


def _may_not_change(name: str, contents: Mapping[str, int]) -> bool:
    """Whether these kinds of content are worth a word: what is read should have some, and always of the same kind."""
    if name.startswith("GET "):
        return len(contents) > 1 or "empty" in contents
    return len(contents.keys() - {"empty"}) > 1


def _changed(name: str, contents: Counter[str]) -> str:
    if len(contents) == 1:
        return f"all {contents.total():,} good answers to {name} were empty"
    parts = [f"{count:,} were {_CALLED.get(content, content)}" for content, count in contents.most_common()]
    return f"the good answers to {name} had different kinds of content: {', '.join(parts)}"


def _rest(notes: Sequence[str], what: str) -> list[str]:
    return [f"{len(notes) - _MOST_NOTES} more {what}"] if len(notes) > _MOST_NOTES else []
