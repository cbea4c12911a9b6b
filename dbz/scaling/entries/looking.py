"""Looking the entries of a phase up, each where it has an API; one that fails says so and is open, and no plan fails
for it."""

from __future__ import annotations

from dataclasses import replace

from dbz.config.phases.plan import Phase
from dbz.errors import DbzError
from dbz.scaling.aws import Aws
from dbz.scaling.change.state import Live
from dbz.scaling.entries.atlas import look_at_atlas
from dbz.scaling.entries.aws_services import (
    look_at_cloudfront,
    look_at_documentdb,
    look_at_opensearch,
    look_at_sns,
    look_at_sqs,
)
from dbz.scaling.entries.standing import EntryKey, Lookup, Lookups, entries_of, kind_and_name, missing, there, unknown
from dbz.scaling.refusals import NotThereError

_ATTEMPTS = 2
"""How often a call is made: this is a look, and a plan should not wait a minute for one."""


def look_up(aws: Aws, live: Live, phase: Phase) -> Lookups:
    """How each entry of a phase stands; `live` must have its target groups."""
    quick = replace(aws, attempts=_ATTEMPTS, _clients={})
    return {entry: _careful(quick, live, phase, entry) for entry in entries_of(phase)}


def _careful(aws: Aws, live: Live, phase: Phase, entry: EntryKey) -> Lookup:
    try:
        return _look(aws, live, phase, entry)
    except NotThereError:
        return missing("there is none")
    except DbzError as error:
        return unknown(error.message)


def _look(aws: Aws, live: Live, phase: Phase, entry: EntryKey) -> Lookup:
    kind, name = kind_and_name(entry.text, f"{live.service.cluster}-{live.service.name}")
    lowered = kind.lower()
    if entry.resource == "database":
        return _database(aws, phase)
    if entry.resource == "load balancer":
        return _balancer(live)
    if "cloudfront" in lowered:
        host = next((one.host for one in live.target_groups if one.host), "")
        return look_at_cloudfront(aws, host, "" if kind == entry.text else name)
    if lowered == "sqs":
        return look_at_sqs(aws, name)
    if lowered == "sns":
        partition = live.service.arn.split(":")[1]
        return look_at_sns(aws, f"arn:{partition}:sns:{live.region}:{live.account}:{name}")
    if "opensearch" in lowered or "elasticsearch" in lowered:
        return look_at_opensearch(aws, name)
    return unknown(f"dbz knows no API of {entry.text}")


def _database(aws: Aws, phase: Phase) -> Lookup:
    database = phase.database
    assert database is not None
    service = database.service.lower()
    if "atlas" in service:
        return look_at_atlas(database)
    if "documentdb" in service:
        return look_at_documentdb(aws, database)
    return unknown(f"dbz knows no API of {database.service}")


def _balancer(live: Live) -> Lookup:
    known = next((one.load_balancer for one in live.target_groups if one.load_balancer), "")
    if known:
        return there(f"{live.service.name} is behind {known}")
    return missing(f"{live.service.name} is behind none")
