"""The tables of `dbz scale simulate` for services apart."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from dbz.report.terminal.console import clean, make_console
from dbz.report.terminal.run.tables import cell, grid
from dbz.report.words.simulations import PlayedService, shortage_text, total_cost
from dbz.units import format_duration, format_percent


def print_service_simulations(phase: str, played: Mapping[str, Sequence[PlayedService]], room: int | None) -> None:
    """For each policy a table with a row for each service, those of a high priority first, and all of them together."""
    console = make_console(sys.stdout)
    first = next(iter(played.values()))
    trace = first[0].result
    services = ", ".join(one.result.policy for one in first)
    text = f"{trace.trace}: {format_duration(trace.seconds)} of load of {services}; tasks as {phase} has them"
    shared = "" if room is None else f", {room} in all, and those of a high priority get theirs first"
    console.print(Text(clean(f"{text}{shared}.")))
    for policy, services_of in played.items():
        console.print()
        console.print(Text(clean(policy), "bold"))
        console.print(_table(services_of, waits=room is not None))
        console.print(Text(clean(shortage_text(services_of)), "dim"))
    if any(one.result.censored_s for services_of in played.values() for one in services_of):
        console.print()
        known = "the recorded CPU is at its end for a while: how much more was asked is not known (≥ in the table)"
        console.print(Text(f"Where it says so, {known}. Record requests instead.", "yellow"))


def _table(services: Sequence[PlayedService], *, waits: bool) -> Table:
    priced = any(one.price for one in services)
    columns = ["<service", "<priority", "tasks", "under capacity", "load lost", "task-hours"]
    columns += [*(["cost"] if priced else []), "most tasks", "steps", "flaps", *(["no place"] if waits else [])]
    table = grid(*columns)
    for one in services:
        result = one.result
        least = "≥ " if result.censored_s else ""
        bounds = str(one.servers.min) if one.servers.fixed else f"{one.servers.min}-{one.servers.max}"
        table.add_row(
            cell(result.policy),
            cell(one.priority),
            bounds,
            Text(least + format_duration(result.under_s), "red" if result.under_s else "green"),
            least + format_percent(result.lost),
            f"{result.task_hours:,.1f}",
            *([_money(one)] if priced else []),
            str(result.highest),
            str(len(result.changes)),
            Text(str(result.flaps), "yellow" if result.flaps else ""),
            *([format_duration(result.waited_s)] if waits else []),
        )
    whole, hours = total_cost(services), sum(one.result.task_hours for one in services)
    money = [f"{whole:,.2f} {services[0].price.currency}" if whole is not None and services[0].price else "–"]
    table.add_row(
        cell("together", "bold"), cell(""), "", "", "", f"{hours:,.1f}", *(money if priced else []), "", "", ""
    )
    return table


def _money(one: PlayedService) -> str:
    return "–" if one.cost is None or one.price is None else f"{one.cost:,.2f} {one.price.currency}"
