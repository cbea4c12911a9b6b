"""What --policy may be: the rules of a plan, a fixed number of tasks, or target tracking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbz.cli.options import share_of
from dbz.errors import UsageError

if TYPE_CHECKING:
    from dbz.config.grammar.conditions import Condition
    from dbz.config.phases.plan import Phases
    from dbz.scaling.simulate.simulator import Controller


def controller_for(
    text: str, plan: Phases, lowest: int, highest: int, how: str, rules: Phases | None = None
) -> tuple[str, Controller, int | None]:
    """A policy's name, what decides, and with how many tasks it begins when it says so itself.

    `rules` stands for the plan that a policy of `rules` names, as it is for one service.
    """
    from dbz.config.grammar.target_tracking import COARSE_S, FINE_S, Target
    from dbz.config.grammar.watched import Watched
    from dbz.scaling.decide.policies import controller_of
    from dbz.scaling.decide.tracking import TargetTracker
    from dbz.scaling.simulate.simulator import Fixed

    kind, _, value = text.partition(":")
    used = (rules or plan_of(text, plan)) if kind == "rules" else None
    if used is not None:
        if not used.scale_out_when_any and not used.target_tracking:
            raise UsageError(
                f"{value or 'the plan'} has neither conditions (scale_out_when_any) nor target_tracking", code="S022"
            )
        return text, controller_of(used, lowest, highest, native=how == "native"), None
    if kind == "fixed" and value.isdigit() and 1 <= int(value) <= 1000:
        return text, Fixed(int(value), plan.scaling.period), int(value)
    if kind == "target":
        percent, _, often = value.partition("@")
        share = share_of(f"--policy {text}", percent)
        if 0 < share <= 1 and often in ("", "20s"):
            target = Target(Watched.CPU, share, FINE_S if often else COARSE_S)
            return text, TargetTracker([target], (lowest, highest)), None
    raise UsageError(
        f"--policy '{text}' is not known; write rules, rules:FILE, fixed:4, target:60% or target:60%@20s", code="E002"
    )


def plan_of(text: str, plan: Phases) -> Phases | None:
    """The plan whose rules a policy follows; None: it is no `rules`."""
    from dbz.config.phases.file import load_phases

    kind, _, value = text.partition(":")
    return None if kind != "rules" else load_phases(value) if value else plan


def not_simulated(plan: Phases) -> list[Condition]:
    """The sentences about what no simulation has."""
    from dbz.scaling.simulate.simulator import SIMULATED

    return [one for one in (*plan.scale_out_when_any, *plan.scale_in_when_all) if one.metric not in SIMULATED]
