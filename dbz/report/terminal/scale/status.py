"""What `dbz scale status` shows."""

from __future__ import annotations

import sys

from rich.table import Table
from rich.text import Text

from dbz.report.terminal.console import clean, make_console
from dbz.report.terminal.run.tables import cell, grid
from dbz.report.terminal.scale.words import alarm_text
from dbz.scaling.change.journal import entries_of, unfinished
from dbz.scaling.exclusive.lock import LockRole
from dbz.scaling.overview import Overview


def print_status(found: Overview) -> None:
    """The service, what else is in its cluster, alarms and recent events."""
    console, live = make_console(sys.stdout), found.live
    service = live.service
    title = f"{service.name} in cluster {service.cluster}, {found.where}, account {live.account}"
    console.print(Text(clean(title), "bold"))
    facts = grid("<", "<")
    facts.show_header = False
    for name, value in _facts(found):
        facts.add_row(Text(f"  {name}", "dim"), Text(clean(value)))
    console.print(facts)
    if len(found.services) > 1:
        console.print()
        console.print(_services(found))
    if live.alarms:
        console.print()
        table = grid("<alarm", "<state", "<")
        styles = {"ALARM": "bold red", "OK": "green"}
        for alarm in live.alarms.values():
            table.add_row(
                cell(alarm_text(alarm)), Text(alarm.state, styles.get(alarm.state, "yellow")), cell(alarm.reason, "dim")
            )
        console.print(table)
    if service.events:
        console.print()
        table = grid("<", "<recent events")
        for event in service.events[:5]:
            table.add_row(f"{event.at:%H:%M:%S}", cell(event.message))
        console.print(table)


def _services(found: Overview) -> Table:
    """All services of the cluster, and those of the nearest phase that are not there, each with what is planned."""
    table = grid("<service", "desired", "running", "starting", "planned", "<", "<")
    for one in found.services:
        counts = (str(one.desired), str(one.running), str(one.pending))
        state = cell("steady" if one.steady else "changing")
        table.add_row(cell(one.name), *counts, _planned(found, one.name), _drift(found.drift(one.name)), state)
    for name in found.missing:
        table.add_row(cell(name), "–", "–", "–", _planned(found, name), Text("is not there", "yellow"), "")
    return table


def _planned(found: Overview, service: str) -> str:
    servers = found.planned.get(service)
    return "" if servers is None else str(servers.min) if servers.fixed else f"{servers.min} to {servers.max}"


def _drift(tasks: int) -> Text:
    return Text(f"{abs(tasks)} too {'many' if tasks > 0 else 'few'}" if tasks else "", "yellow")


def _facts(found: Overview) -> list[tuple[str, str]]:
    live, service = found.live, found.live.service
    state = "steady" if service.steady else service.failed or ("rolling out" if service.deploying else "changing")
    rows = [("tasks", f"{service.desired} desired, {service.running} running, {service.pending} starting: {state}")]
    for one in service.deployments:
        failed = f", {one.failed} failed" if one.failed else ""
        rollout = one.rollout.lower().replace("_", " ") or "?"
        rows.append(("rollout", f"{one.status.lower()}, {rollout}: {one.running} of {one.desired}{failed}"))
    if service.scheduling == "DAEMON":
        rows.append(("strategy", "DAEMON: a task on each instance; no desired count, no range"))
    if service.controller != "ECS":
        rows.append(("deployed by", service.controller))
    if service.breaker:
        rows.append(("breaker", f"{service.breaker} a deployment whose tasks fail"))
    rows += [("targets", str(one)) for one in found.targets]
    if live.target:
        policies = ", ".join(live.policies) or "no policies"
        rows.append(("range", f"{live.target['MinCapacity']} to {live.target['MaxCapacity']} tasks; {policies}"))
        if live.suspended:
            rows.append(("suspended", f"scaling {', '.join(live.suspended)}: that does not happen on AWS now"))
        rows += [("idle", f"{name}: {why}") for name, why in live.idle.items()]
    else:
        rows.append(("range", "none: nothing scales this service by itself on AWS"))
    rows += [("by AWS", str(one)) for one in found.activities[:3]]
    for name, action in live.schedules.items():
        wanted = action["ScalableTargetAction"]
        rows.append(
            ("scheduled", f"{name}: {action['Schedule']}, {wanted.get('MinCapacity')} to {wanted.get('MaxCapacity')}")
        )
    if live.cache:
        rows.append(("cache", f"{live.cache.id}: {live.cache.nodes} nodes, {live.cache.status}"))
    names = {LockRole.FOLLOW: "led by", LockRole.CHANGE: "being changed"}
    rows += [(names[one.role], str(one)) for one in found.present]
    rows += [("not finished", f"{one.id}: dbz scale rollback, or apply --resume") for one in unfinished(live.place)]
    rows += [
        (
            "not taken back",
            f"{one.id} ({one.plan.goal}) left {len(one.left)} alone: dbz scale rollback {one.id} --force",
        )
        for one in entries_of(live.place)
        if one.left
    ]
    if found.nearest:
        rows.append(("nearest phase", found.nearest))
    rows += [("headroom", text) for text in found.headroom_texts()]
    return rows
