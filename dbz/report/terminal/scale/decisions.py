"""What `dbz scale auto` decides, in words and as JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from dbz.scaling.decide.daemon import Autoscaler, Evaluation
    from dbz.scaling.decide.rules import ConditionStanding


class Teller:
    """Says what is decided: every step, and a hold when its reason is new; with `explain` every evaluation."""

    def __init__(self, *, explain: bool, as_json: bool, dry_run: bool) -> None:
        self._explain, self._as_json, self._dry_run = explain, as_json, dry_run
        self._last = ""
        self._unknown = ""

    def begin(self, follower: Autoscaler, whence: str) -> None:
        """What is being followed."""
        from dbz.units import format_duration

        policy = follower.policy
        every = format_duration(policy.period_s)
        dry = "; a dry run" if self._dry_run else ""
        typer.echo(
            f"Scaling between {policy.lowest} and {policy.highest} tasks by {whence}, every {every}{dry}.", err=True
        )

    def tell(self, outcome: Evaluation) -> None:
        """One evaluation."""
        decision = outcome.decision
        if self._as_json:
            typer.echo(json.dumps(_document(outcome)))
            self._say_sight(outcome)
            return
        self._say_sight(outcome)
        text = f"{decision.action.value} {decision.reason}"
        if self._explain or decision.action.value != "hold" or text != self._last:
            at = datetime.fromtimestamp(outcome.at_s, UTC)
            before = outcome.service.desired
            tasks = f"{before}" if before == decision.desired else f"{before} → {decision.desired}"
            would = " (not done: dry run)" if self._dry_run and decision.action.value != "hold" else ""
            typer.echo(f"{at:%H:%M:%S}  {decision.action.value:<4}  {tasks:<7}  {decision.reason}{would}")
        self._last = text
        if self._explain:
            for one in outcome.standings:
                typer.echo(f"          {_standing_text(one)}")

    def _say_sight(self, outcome: Evaluation) -> None:
        """Loudly, what is not known, and once that it is known again."""
        unknown = ", ".join(outcome.decision.no_data)
        if unknown and unknown != self._unknown:
            typer.echo(f"NO DATA about {unknown}: no condition on it is met, and nothing scales in.", err=True)
        elif self._unknown and not unknown:
            typer.echo(f"Data about {self._unknown} again.", err=True)
        self._unknown = unknown


def _standing_text(one: ConditionStanding) -> str:
    value = "no data" if one.value is None else one.condition.value_text(one.value)
    missing = f", {one.missing} missing" if one.missing else ""
    met = "met" if one.met else "not met"
    return (
        f"{one.direction.value:<4} {one.condition!s:<44} now {value:<10} "
        f"{one.holding} of {one.window} samples hold, {one.needed} needed{missing}: {met}"
    )


def _document(outcome: Evaluation) -> dict[str, object]:
    return {
        "schema": "dbz.scale-decision/1",
        "at": datetime.fromtimestamp(outcome.at_s, UTC).isoformat(timespec="milliseconds"),
        "action": outcome.decision.action.value,
        "before": outcome.service.desired,
        "desired": outcome.decision.desired,
        "running": outcome.service.running,
        "done": outcome.done,
        "no_data": [one.value for one in outcome.decision.no_data],
        "reason": outcome.decision.reason,
        "conditions": [
            {
                "direction": one.direction.value, "condition": str(one.condition), "value": one.value,
                "holding": one.holding, "needed": one.needed, "window": one.window, "missing": one.missing,
                "met": one.met,
                "at": None if one.at_s is None else datetime.fromtimestamp(one.at_s, UTC).isoformat(),
            }
            for one in outcome.standings
        ],
    }  # fmt: skip
