"""From the scaling plan to what decides: a policy of the rule engine, and a controller of the simulator."""

from __future__ import annotations

from dbz.config.phases.plan import Phases
from dbz.scaling.decide.rules import Policy
from dbz.scaling.decide.tracking import Both, TargetTracker
from dbz.scaling.simulate.simulator import ByAlarms, ByRules, Controller


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
        data_age_s=scaling.data_age,
    )


def controller_of(plan: Phases, lowest: int, highest: int, *, native: bool = False) -> Controller:
    """Everything that the plan says about scaling: conditions, target tracking, or both.

    The conditions as `dbz scale auto` follows them, or `native`, as the alarms do that are made of them.
    """
    policy = rules_of(plan, lowest, highest)
    rules = ByAlarms(policy) if native else ByRules(policy)
    if not plan.target_tracking:
        return rules
    scaling = plan.scaling
    tracker = TargetTracker(
        plan.target_tracking,
        (lowest, highest),
        cooldowns_s=(scaling.cooldown_out, scaling.cooldown_in),
        connections_per_task=scaling.connections_per_server,
    )
    return Both(rules, tracker) if plan.scale_out_when_any else tracker
