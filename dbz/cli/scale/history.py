"""`dbz scale history`."""

from __future__ import annotations

import json

import typer

from dbz.cli.options import AsJson, Cluster, PhasesFile, ServiceName


def history(
    phases: PhasesFile = "default", cluster: Cluster = "", service: ServiceName = "", as_json: AsJson = False
) -> None:
    """List the changes that were made from here, oldest first.

    \b
    Examples:
      dbz scale history
      dbz scale history --service web --json
    """
    from dbz.config.phases import load_phases
    from dbz.report.terminal.scale.words import outcome_text, print_history
    from dbz.scaling.change.journal import entries

    load_phases(phases)
    found = [one for one in entries() if (not cluster or one.plan.cluster == cluster)
             and (not service or one.plan.service == service)]  # fmt: skip
    if as_json:
        rows = [
            {"id": one.id, "at": one.at, "goal": one.plan.goal, "cluster": one.plan.cluster,
             "service": one.plan.service, "outcome": outcome_text(one), "why": one.why,
             "not_taken_back": len(one.begun), "steps": len(one.plan.steps)}
            for one in found
        ]  # fmt: skip
        typer.echo(json.dumps({"schema": "dbz.scale-history/1", "changes": rows}, indent=1))
    elif found:
        print_history(found)
    else:
        typer.echo("Nothing was changed from here yet.", err=True)
