"""What went wrong in a run without a budget that is about it: so that no headline calls such a run simply good."""

from __future__ import annotations

from dbz.measure.budget.metrics import parse_selector
from dbz.measure.latency.series import ACK, HTTP
from dbz.runs.schema import Run
from dbz.units import counted

_ANSWERS = {HTTP: "good answer", ACK: "good acknowledgement"}
_DELIVERIES = {
    "astray": "reached somebody who is not in their room",
    "duplicated": "arrived twice",
    "out_of_order": "arrived out of order",
}
_METRICS = (*(f"{kind}.doubtful" for kind in _ANSWERS), *(f"delivery.{what}" for what in _DELIVERIES))


def unjudged(run: Run) -> list[str]:
    """What no budget is about, each in a few words, like `20 of 200 good answers say that something went wrong`.

    Failures and lost messages are not among it: budgets on errors and latencies count them.
    """
    selectors = [parse_selector(budget.of) for budget in run.budgets if budget.of.startswith(_METRICS)]

    def judged(metric: str, name: str) -> bool:
        return any(one.metric.name == metric and one.matches(name) for one in selectors)

    found = []
    for kind, answer in _ANSWERS.items():
        rows = [one for one in run.operations if one.kind == kind and not judged(f"{kind}.doubtful", one.name)]
        if wrong := sum(one.doubtful for one in rows):
            good = sum(one.count - one.errors for one in rows)
            found.append(f"{wrong:,} of {counted(good, answer)} say that something went wrong")
    for what, said in _DELIVERIES.items():
        events = [one for one in run.deliveries if not judged(f"delivery.{what}", one.event)]
        if wrong := sum(getattr(one, what) for one in events):
            found.append(f"{counted(wrong, 'message')} {said}")
    return found
