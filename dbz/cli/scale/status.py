"""`dbz scale status`: what runs now."""

from __future__ import annotations

import json

import typer

from dbz.cli.options import DEFAULT_REPORTS, AsJson, AwsOptions, Reports
from dbz.cli.scale.access import reach


def status(
    *,
    aws: AwsOptions,
    reports: Reports = DEFAULT_REPORTS,
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
    from dbz.report.documents import scale_status
    from dbz.scaling.overview import look

    access = reach(aws)
    found = look(access.handle, access.plan, access.cache_group, reports)
    if as_json:
        typer.echo(json.dumps(scale_status(found), indent=1, default=str))
    else:
        from dbz.report.terminal.scale.status import print_status

        print_status(found)
