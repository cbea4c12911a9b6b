"""Services behind a gateway, as a run saw them: what a reader must know of their figures."""

from __future__ import annotations

from dbz.measure.budget.measuring import Measurements
from dbz.measure.latency.tags import MOST_SERVICES, OTHER_SERVICES, SERVICE_LABEL, values_of


def service_notes(found: Measurements, header: str) -> list[str]:
    """That the header gave more names than are told apart; empty when it did not."""
    if OTHER_SERVICES not in values_of(SERVICE_LABEL, found.tagged):
        return []
    text = (
        f"the header {header} named more than {MOST_SERVICES} services: the rest is {OTHER_SERVICES}, and budgets of "
        "one service may miss some of its requests; a value that differs from answer to answer names no service "
        "(service_header: in the profile, or --service-header, names another header)"
    )
    return [text]
