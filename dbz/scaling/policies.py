"""From the scaling plan to a policy of the rule engine."""

from __future__ import annotations

from dbz.config.phases import Phases
from dbz.scaling.rules import Policy


def rules_of(plan: Phases, lowest: int, highest: int) -> Policy:
    """The plan's conditions between `lowest` and `highest` tasks."""
    scaling = plan.scaling
    return Policy(
        out_any=tuple(plan.scale_out_when_any),
        in_all=tuple(plan.scale_in_when_all),
        lowest=lowest,
        highest=highest,
        step=scaling.step,
        period_s=scaling.period,
        cooldown_out_s=scaling.cooldown_out,
        cooldown_in_s=scaling.cooldown_in,
        connections_per_task=scaling.connections_per_server,
    )
