"""`dbz doctor`: whether this machine can measure, and what is configured can be reached."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from dbz.cli.options import DEFAULT_REPORTS, AsJson, Health, Reports

if TYPE_CHECKING:
    from dbz.config.load.metrics import TargetMetrics
    from dbz.doctor.findings import Diagnosis

Item = TypeVar("Item")


def doctor(
    profile: Annotated[
        str, typer.Argument(metavar="[PROFILE]", help="A load profile, whose target is looked at.")
    ] = "",
    target: Annotated[str, typer.Option(metavar="URL", help="A server that is to be loaded.")] = "",
    health: Health = None,
    redis_url: Annotated[str, typer.Option(metavar="URL", help="Redis [default: REDIS_URL, if set].")] = "",
    mongo_uri: Annotated[str, typer.Option(metavar="URI", help="Document store [default: MONGODB_URI, if set].")] = "",
    database: Annotated[str, typer.Option(metavar="NAME", help="Database of the document store.")] = "dbz",
    shards: Annotated[str, typer.Option(metavar="FILE", help="Shards file, or `default`.")] = "",
    aws: Annotated[bool, typer.Option("--aws", help="Also the AWS account that the environment names.")] = False,
    reports: Reports = DEFAULT_REPORTS,
    as_json: AsJson = False,
) -> None:
    """Say whether this machine can measure, what is installed, and whether all that is configured can be reached.

    Each finding comes with how to mend it. Nothing is loaded and nothing is changed; it takes a few seconds.

    \b
    Examples:
      dbz doctor
      dbz doctor profile.yaml
      dbz doctor --target http://127.0.0.1:3000 --redis-url redis://127.0.0.1:6379
      dbz doctor --aws --json

    \b
    Exit codes: 0 fit, 3 something that is configured cannot be reached or does not permit what is needed,
    4 this machine cannot measure.
    """
    from dbz.doctor.findings import as_document, exit_code
    from dbz.report.terminal.console import make_console
    from dbz.report.terminal.doctor import print_findings, summary_text

    findings = _findings(profile, target, health, redis_url, mongo_uri, database, shards, aws=aws, reports=reports)
    if as_json:
        document = as_document(findings)
        typer.echo(json.dumps(document, indent=2))
        raise typer.Exit(document["exit_code"])
    console = make_console(typer.get_text_stream("stdout"))
    printed = print_findings(findings, console)
    console.print(f"\n{summary_text(printed)}")
    raise typer.Exit(int(exit_code(printed)))


def _findings(
    profile: str, target: str, health: str | None, redis_url: str, mongo_uri: str, database: str, shards: str,
    *, aws: bool, reports: Path,
) -> Iterator[Diagnosis]:  # fmt: skip
    """Files are read first: what is wrong in one of them is said before anything is looked at."""
    from dbz.config.load.metrics import TargetMetrics
    from dbz.config.load.profile import load_profile
    from dbz.config.shards import load_shards
    from dbz.doctor.machine import look_at_machine
    from dbz.doctor.packages import look_at_packages

    loaded = load_profile(profile) if profile else None
    file = load_shards(shards) if shards else None
    url = target or (loaded.target or "" if loaded else "")
    metrics = loaded.metrics if loaded else TargetMetrics()
    yield from look_at_machine(reports)
    yield from look_at_packages()
    if url:
        yield from _of_target(url, health or (loaded.health if loaded else None), metrics)
    redis_url, mongo_uri = redis_url or os.environ.get("REDIS_URL", ""), mongo_uri or os.environ.get("MONGODB_URI", "")
    yield from _of_stores(redis_url, mongo_uri, database)
    if file is not None:
        from dbz.doctor.stores import look_at_shards

        yield from look_at_shards(file)
    if aws:
        from dbz.doctor.account import look_at_account
        from dbz.scaling.aws import Aws

        account = Aws(attempts=2)
        yield from look_at_account(account.call, lambda: account.where)


def _of_target(url: str, health: str | None, metrics: TargetMetrics) -> Iterator[Diagnosis]:
    import asyncio

    from dbz.doctor.target import look_at_target

    yield from asyncio.run(_all(look_at_target(url, health, metrics)))


def _of_stores(redis_url: str, mongo_uri: str, database: str) -> Iterator[Diagnosis]:
    if not redis_url and not mongo_uri:
        return
    import asyncio

    from dbz.doctor.stores import look_at_redis, look_at_store
    from dbz.extras import STORE_CLIENTS, need

    need("looking at stores", STORE_CLIENTS, "embedded")
    if redis_url:
        yield from asyncio.run(_all(look_at_redis(redis_url)))
    if mongo_uri:
        yield from look_at_store(mongo_uri, database)


async def _all(items: AsyncIterator[Item]) -> list[Item]:
    return [item async for item in items]
