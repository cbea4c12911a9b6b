"""`dbz scale history`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from dbz.cli.options import AsJson, Cluster, PhasesFile, ServiceName


def history(
    phases: PhasesFile = "default",
    cluster: Cluster = "",
    service: ServiceName = "",
    region: Annotated[str, typer.Option(help="Only changes in this AWS region.")] = "",
    as_json: AsJson = False,
) -> None:
    """List the changes that were made from here, oldest first.

    \b
    Examples:
      dbz scale history
      dbz scale history --service web --json
    """
    from dbz.config.phases.file import load_phases
    from dbz.report.terminal.scale.words import outcome_text, print_history
    from dbz.scaling.arns import last_part
    from dbz.scaling.change.journal import entries

    load_phases(phases)
    found = [one for one in entries() if (not cluster or one.plan.cluster == last_part(cluster))
             and (not service or last_part(service) in [place.service for place in one.places])
             and (not region or one.plan.region == region)]  # fmt: skip
    if as_json:
        rows = [
            {
                "id": one.id, "at": one.at, "goal": one.plan.goal, "cluster": one.plan.cluster,
                "service": one.plan.service, "services": [place.service for place in one.places],
                "account": one.plan.account, "region": one.plan.region,
                "outcome": outcome_text(one), "why": one.why, "not_taken_back": len(one.begun),
                "left_alone": len(one.left), "steps": len(one.steps),
            }
            for one in found
        ]  # fmt: skip
        typer.echo(json.dumps({"schema": "dbz.scale-history/1", "changes": rows}, indent=1))
    elif found:
        print_history(found)
    else:
        typer.echo("Nothing was changed from here yet.", err=True)
