"""What a simulation of services apart came to, for tables and documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dbz.config.phases.plan import ApiServers, Priority
from dbz.scaling.simulate.simulator import Price, Simulation
from dbz.units import format_duration


@dataclass(frozen=True)
class PlayedService:
    """A service of a simulation, with what the plan says of it."""

    result: Simulation
    """Its `policy` is the name of the service."""
    priority: Priority
    servers: ApiServers
    """Between how many tasks it may have."""
    price: Price | None
    """None where the plan has no prices."""

    @property
    def cost(self) -> float | None:
        """What its tasks cost in the time that was simulated."""
        return None if self.price is None else self.result.task_hours * self.price.an_hour


def total_cost(services: Sequence[PlayedService]) -> float | None:
    """What all of them cost; None where one has no price."""
    costs = [one.cost for one in services]
    return None if None in costs else sum(cost for cost in costs if cost is not None)


def shortage_text(services: Sequence[PlayedService]) -> str:
    """Which services were short of tasks and for how long, the longest first."""
    short = sorted((one for one in services if one.result.under_s), key=lambda one: one.result.under_s, reverse=True)
    if not short:
        return "No service is short of tasks at any time."
    rows = [
        f"{one.result.policy} for {'at least ' if one.result.censored_s else ''}{format_duration(one.result.under_s)}"
        for one in short
    ]
    return f"Short of tasks: {', '.join(rows)}."
