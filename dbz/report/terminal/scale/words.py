"""Plans and changes in words."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from dbz.report.terminal.console import clean, make_console
from dbz.report.terminal.run.tables import cell, grid
from dbz.scaling.change.names import POLICY_ARN
from dbz.scaling.change.order import PlannedStep, ordered
from dbz.scaling.change.steps import ChangePlan, ChangeStep, Kind, ends_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dbz.scaling.change.journal import JournalEntry
    from dbz.scaling.change.state import Alarm


_KEPT = {
    "ECSServiceAverageCPUUtilization": "CPU at {} %",
    "ECSServiceAverageMemoryUtilization": "memory at {} %",
    "ECSServiceAverageCPUUtilizationHighResolution": "CPU at {} %, every 20 s",
    "ECSServiceAverageMemoryUtilizationHighResolution": "memory at {} %, every 20 s",
    "ALBRequestCountPerTarget": "requests at {} a minute per task",
    "ActiveConnections": "connections at {} per task",
}
"""What target tracking keeps, by its metric."""


_LONGEST_SETTING = 40
_SAID = {"AlarmActions"}
"""What a state says in its own words already."""
_PLURALS = {Kind.POLICY: "scaling policies", Kind.ALARM: "alarms"}


def print_plan(plan: ChangePlan, where: str, nothing: str = ": everything is so already") -> None:
    """Print what dbz will do, for all services in one order, what is left to people, and what it costs.

    `nothing` says why there may be nothing to do.
    """
    console = make_console(sys.stdout)
    names = ", ".join(one.service for one in plan.everything())
    title = f"{plan.goal}: {names} in cluster {plan.cluster}, {where}, account {plan.account}"
    console.print(Text(clean(title), "bold"))
    console.print()
    if steps := ordered(plan):
        console.print(Text("dbz does, in this order"))
        console.print(_steps(steps, several=bool(plan.also)))
        if idle := [one.service for one in (plan, *plan.also) if not one.steps]:
            console.print(Text(clean(f"Nothing to do for {', '.join(idle)}.")))
    else:
        below = "1 step below is" if len(plan.manual) == 1 else f"{len(plan.manual)} steps below are"
        manual = f"; {below} yours" if plan.manual else nothing
        console.print(Text(f"dbz has nothing to do{manual}."))
    _print_end(console, plan)
    for note in (*plan.notes, *(f"{one.service}: {note}" for one in plan.also for note in one.notes)):
        console.print()
        console.print(Text(clean(f"Note: {note}."), "yellow"))
    if plan.manual:
        console.print()
        console.print(Text(f"You do ({len(plan.manual)} open)"))
        table = grid("<", "<")
        table.show_header = False
        for one in plan.manual:
            instruction = Text(clean(one.instruction), overflow="fold")
            if one.why:
                instruction.append(f" – {clean(one.why)}", "dim")
            table.add_row(cell(f"  {one.resource}"), instruction)
        console.print(table)
    _print_present(console, plan)
    if cost := plan.cost_together:
        unpriced = f"; not counted: {', '.join(cost.unpriced)}" if cost.unpriced else ""
        console.print()
        text = f"Cost a month: {cost.before:,.0f} → {cost.after:,.0f} {cost.currency}{unpriced}"
        console.print(Text(clean(text)))


def _print_present(console: Console, plan: ChangePlan) -> None:
    """What was looked up, and is there."""
    if not plan.present:
        return
    console.print()
    console.print(Text("Looked up, and there"))
    table = grid("<", "<")
    table.show_header = False
    for one in plan.present:
        table.add_row(cell(f"  {one.resource}"), Text(clean(one.text), overflow="fold"))
    console.print(table)


def _print_end(console: Console, plan: ChangePlan) -> None:
    """What happens when the plan's time is over."""
    at = ends_at(plan)
    if at is None:
        return
    if ((plan.seen.get("target") or {}).get("SuspendedState") or {}).get("ScheduledScalingSuspended"):
        return  # a note says that it will not happen
    made = [step for one in plan.everything() for step in one.steps]
    stays = sorted({_PLURALS[one.kind] for one in made if one.kind in (Kind.POLICY, Kind.ALARM)})
    stays += [one.kind.value for one in plan.steps if one.kind is Kind.REPLICAS]
    rest = f"; {', '.join(stays)} stay: dbz scale rollback takes them back" if stays else ""
    console.print()
    console.print(Text(clean(f"At {at:%Y-%m-%d %H:%M:%S} UTC AWS puts the range back by itself{rest}.")))


def _steps(steps: Sequence[PlannedStep], *, several: bool) -> Any:
    """One row a step; with several services their names and priorities too, and a gap where what was done is waited
    for."""
    table = grid("", *(("<service", "<priority") if several else ()), "<", "<", "<before", "<after")
    stage = 0
    for number, one in enumerate(steps, 1):
        if one.stage != stage and several:
            table.add_row()
        stage = one.stage
        before, after = step_texts(one.step)
        whose = (cell(one.plan.service), cell(one.plan.priority)) if several else ()
        what = (one.step.kind.value, cell(one.step.resource))
        table.add_row(f"{number}.", *whose, *what, cell(before), cell(after, "bold"))
    return table


def step_texts(step: ChangeStep) -> tuple[str, str]:
    """What was and what will be, shortly."""
    before, after = _state(step.kind, step.before), _state(step.kind, step.after)
    if before == after and isinstance(step.before, dict) and isinstance(step.after, dict):
        keys = sorted({*step.before, *step.after} - _SAID)
        keys = [key for key in keys if step.before.get(key) != step.after.get(key)]
        before += "".join(f", {_setting(key, step.before.get(key))}" for key in keys)
        after += "".join(f", {_setting(key, step.after.get(key))}" for key in keys)
    return before, after


def _setting(name: str, value: Any) -> str:
    """A setting as AWS calls it, with its value when that is short."""
    text = "–" if value is None else str(value)
    return f"{name} {text}" if len(text) <= _LONGEST_SETTING else f"another {name}"


def _state(kind: Kind, value: Any) -> str:
    if value is None:
        return "–"
    if kind is Kind.RESOLUTION:
        return f"{', '.join(value)} every 20 s"
    if kind is Kind.TARGET:
        return f"{value['MinCapacity']} to {value['MaxCapacity']} tasks"
    if kind is Kind.POLICY:
        return _policy(value)
    if kind is Kind.SCHEDULE:
        action = value["ScalableTargetAction"]
        return f"{value['Schedule']}: {action.get('MinCapacity', '–')} to {action.get('MaxCapacity', '–')}"
    if kind is Kind.ALARM:
        minutes = value["EvaluationPeriods"]
        needed = value.get("DatapointsToAlarm") or minutes
        return f"{needed} of {minutes} periods → {', '.join(_last(one) for one in value.get('AlarmActions', []))}"
    return str(value)


def _last(action: str) -> str:
    """The name of the policy that an alarm sets off; one that is not there, or of another service, is `another`."""
    _, found, name = action.partition(":policyName/")
    return f"another {name.split(':createdBy', 1)[0]}" if found else action.removeprefix(POLICY_ARN)


def _policy(value: Any) -> str:
    step = value.get("StepScalingPolicyConfiguration")
    if step:
        changes = sorted({one["ScalingAdjustment"] for one in step["StepAdjustments"]})
        return f"{', '.join(f'{one:+d}' for one in changes)}, then {step.get('Cooldown', 0)} s rest"
    tracking = value.get("TargetTrackingScalingPolicyConfiguration") or {}
    named = tracking.get("PredefinedMetricSpecification") or {}
    own = tracking.get("CustomizedMetricSpecification") or {}
    metric = named.get("PredefinedMetricType") or own.get("MetricName") or "a metric"
    value = f"{float(tracking.get('TargetValue', 0)):g}"
    return f"keeps {_KEPT.get(metric, metric + ' at {}').format(value)}"


def alarm_text(alarm: Alarm) -> str:
    """The name of an alarm; one that AWS made for a target-tracking policy goes by the policy and its side."""
    actions = alarm.settings.get("AlarmActions", [])
    if not alarm.of_aws or not actions:
        return alarm.name
    above = str(alarm.settings.get("ComparisonOperator", "")).startswith("Greater")
    return f"{_last(actions[0])}, {'above' if above else 'below'} its target"


def print_history(entries: Sequence[JournalEntry]) -> None:
    """One row a change, the newest last."""
    console = make_console(sys.stdout)
    table = grid("<id", "<what", "<service", "<region", "<steps", "<outcome", "<")
    table.columns[0].no_wrap = table.columns[5].no_wrap = True  # an id is there to be copied
    styles = {"applied": "green", "failed": "bold red", "rolled back": ""}
    for one in entries:
        done = f"{len(one.done)} of {len(one.steps)}"
        outcome = outcome_text(one)
        services = ",".join(place.service for place in one.places)
        table.add_row(
            Text(one.id, no_wrap=True), cell(one.plan.goal), cell(f"{one.plan.cluster}/{services}"),
            cell(one.plan.region), done,
            Text(outcome, styles.get(outcome, "yellow"), no_wrap=True), cell(one.why, "dim"),
        )  # fmt: skip
    console.print(table)


def outcome_text(entry: JournalEntry) -> str:
    """What became of a change; one whose dbz was killed has no outcome of its own."""
    if entry.outcome == "rolled back" and entry.left:
        return "partly rolled back"
    return entry.outcome or "not finished"
