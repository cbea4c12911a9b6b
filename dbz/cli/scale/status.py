"""`dbz scale status`: what runs now."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dbz.cli.scale.access import AsJson, AwsProfile, Cluster, Local, PhasesFile, Region, ServiceName, reach

if TYPE_CHECKING:
    from dbz.scaling.change.journal import JournalEntry
    from dbz.scaling.change.state import EcsService
    from dbz.scaling.overview import Overview

DEFAULT_REPORTS = Path("reports")


def status(
    phases: PhasesFile = "default",
    cluster: Cluster = "",
    service: ServiceName = "",
    aws_profile: AwsProfile = "",
    region: Region = "",
    local: Local = False,
    reports: Annotated[Path, typer.Option(metavar="DIR", help="Where the newest capacity is.")] = DEFAULT_REPORTS,
    as_json: AsJson = False,
) -> None:
    """Show what runs: tasks, rollouts, range, policies, alarms, events, and the nearest phase.

    \b
    Nothing is changed. With a measured capacity in the reports folder it
    says for how much of the next phase the running tasks are enough.

    \b
    Examples:
      dbz scale status
      dbz scale status --local            of dbz serve --cloud
      dbz scale status --cluster shop --service web --json
    """
    from dbz.scaling.overview import look

    access = reach(phases, cluster, service, aws_profile, region, local=local)
    found = look(access.handle, access.plan, access.cache_group, reports)
    if as_json:
        typer.echo(json.dumps(_document(found), indent=1, default=str))
    else:
        _print(found)


def _document(found: Overview) -> dict[str, Any]:
    live = found.live
    return {
        "schema": "dbz.scale-status/1",
        "account": live.account,
        "region": live.region,
        "service": asdict(live.service),
        "services": [asdict(one) for one in found.services],
        "target": live.target,
        "policies": live.policies,
        "schedules": live.schedules,
        "alarms": [asdict(one) for one in live.alarms.values()],
        "cache": asdict(live.cache) if live.cache else None,
        "nearest_phase": found.nearest,
        "headroom": found.headroom,
        "per_task_from": found.measured,
        "targets": [asdict(one) for one in found.targets],
        "present": [asdict(one) for one in found.present],
        "unfinished": [one.id for one in unfinished(live.service)],
    }


def _print(found: Overview) -> None:
    from rich.text import Text

    from dbz.report.terminal.console import clean, make_console
    from dbz.report.terminal.run.tables import cell, grid
    from dbz.report.terminal.scale.words import alarm_text

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
        table = grid("<service", "desired", "running", "starting", "<")
        for one in found.services:
            counts = (str(one.desired), str(one.running), str(one.pending))
            table.add_row(cell(one.name), *counts, cell("steady" if one.steady else "changing"))
        console.print(table)
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


def unfinished(service: EcsService) -> list[JournalEntry]:
    """Changes of a service that a killed or interrupted dbz has left."""
    from dbz.scaling.change.journal import entries

    return [
        one for one in entries() if one.open and (one.plan.cluster, one.plan.service) == (service.cluster, service.name)
    ]


def _facts(found: Overview) -> list[tuple[str, str]]:
    from dbz.scaling.exclusive.lock import LockRole

    live, service = found.live, found.live.service
    state = "steady" if service.steady else service.failed or ("rolling out" if service.deploying else "changing")
    rows = [("tasks", f"{service.desired} desired, {service.running} running, {service.pending} starting: {state}")]
    for one in service.deployments:
        failed = f", {one.failed} failed" if one.failed else ""
        rollout = one.rollout.lower().replace("_", " ") or "?"
        rows.append(("rollout", f"{one.status.lower()}, {rollout}: {one.running} of {one.desired}{failed}"))
    rows += [("targets", str(one)) for one in found.targets]
    if live.target:
        policies = ", ".join(live.policies) or "no policies"
        rows.append(("range", f"{live.target['MinCapacity']} to {live.target['MaxCapacity']} tasks; {policies}"))
    else:
        rows.append(("range", "none: nothing scales this service by itself on AWS"))
    for name, action in live.schedules.items():
        wanted = action["ScalableTargetAction"]
        rows.append(
            ("scheduled", f"{name}: {action['Schedule']}, {wanted.get('MinCapacity')} to {wanted.get('MaxCapacity')}")
        )
    if live.cache:
        rows.append(("cache", f"{live.cache.id}: {live.cache.nodes} nodes, {live.cache.status}"))
    names = {LockRole.FOLLOW: "led by", LockRole.CHANGE: "being changed"}
    rows += [(names[one.role], str(one)) for one in found.present]
    rows += [("not finished", f"{one.id}: dbz scale rollback, or apply --resume") for one in unfinished(service)]
    if found.nearest:
        rows.append(("nearest phase", found.nearest))
    rows += [("headroom", text) for text in found.headroom_texts()]
    return rows
