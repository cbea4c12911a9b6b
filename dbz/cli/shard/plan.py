"""`dbz shard plan`: what would move, and what it would bring."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dbz.cli.options import AsJson, parsed
from dbz.cli.shard.deployment import DEFAULT_CONFIG, DEFAULT_RATE, ConfigFile, Rate, bytes_per_s, open_deployment
from dbz.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dbz.shards.deployment import Deployment
    from dbz.shards.plan.document import MovePlan

Add = Annotated[list[str] | None, typer.Option("--add", metavar="SHARD", help="Give a share to a new shard.")]
Drain = Annotated[list[str] | None, typer.Option("--drain", metavar="SHARD", help="Empty a shard.")]
Pin = Annotated[
    list[str] | None, typer.Option("--pin", metavar="CLUB=SHARD", help="Put a club on a shard, and keep it there.")
]
Move = Annotated[
    list[str] | None, typer.Option("--move", metavar="CLUB=SHARD", help="Move exactly this club, and no other.")
]
By = Annotated[
    Literal["bytes", "docs", "ops"], typer.Option("--by", help="What is to be even; ops are writes, counted now.")
]
Sample = Annotated[str, typer.Option(metavar="TIME", help="With --by ops: count the writes for so long.")]
Tolerance = Annotated[str, typer.Option(metavar="SHARE", help="How far from the mean a shard may stay.")]


def plan(
    add: Add = None,
    drain: Drain = None,
    pin: Pin = None,
    move: Move = None,
    by: By = "bytes",
    sample: Sample = "10s",
    tolerance: Tolerance = "5%",
    rate: Rate = DEFAULT_RATE,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the plan here, as JSON.")] = None,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Say exactly which clubs would move, and what that would bring. Nothing is changed.

    \b
    Without --add, --drain or --pin the clubs are evened out over the shards
    that there are. Every move improves the balance, so stopping midway is safe.
    dbz shard rebalance carries out the last plan.

    \b
    Examples:
      dbz shard plan                             even out the shards
      dbz shard plan --add shard_2               a share for a new shard
      dbz shard plan --drain shard_0             empty a shard
      dbz shard plan --pin club07=shard_1        keep a club where you want it
      dbz shard plan --move club07=shard_1       one hot club, and nothing else
      dbz shard plan --by ops --sample 1m        even out the writes
      dbz shard plan --add shard_2 --out plan.json
    """
    from dbz.report.terminal.shards.status import print_plan

    made = plan_of(config, add, drain, pin, move, by, sample, tolerance, rate)
    _remember(made)
    if out is not None:
        _save(made, out)
        typer.echo(f"Plan written to {out}", err=True)
    if as_json:
        typer.echo(made.to_json())
    else:
        print_plan(made)


def plan_of(
    config: str,
    add: list[str] | None,
    drain: list[str] | None,
    pin: list[str] | None,
    move: list[str] | None,
    by: Literal["bytes", "docs", "ops"],
    sample: str,
    tolerance: str,
    rate: str,
) -> MovePlan:
    """The plan that the options ask for."""
    from dbz.shards.plan.document import Request
    from dbz.shards.plan.from_stores import plan_now
    from dbz.units import parse_duration, parse_percent

    request = Request(
        add=tuple(dict.fromkeys(add or ())),
        drain=tuple(dict.fromkeys(drain or ())),
        pin=_pins("--pin", pin or []),
        move=_pins("--move", move or []),
        by=by,
        tolerance=parsed("--tolerance", tolerance, parse_percent),
    )
    limit = parsed("--rate", rate, bytes_per_s)
    over_s = parsed("--sample", sample, parse_duration)
    if not 0.1 <= over_s <= 3600:
        raise UsageError(f"--sample: '{sample}' is not between 100ms and 1h", code="E002")
    with open_deployment(config) as deployment:
        ops = _count_writes(deployment, over_s) if by == "ops" else None
        return plan_now(deployment, request, limit, ops)


def _count_writes(deployment: Deployment, over_s: float) -> Mapping[str, float]:
    from dbz.shards.map_store import current_map
    from dbz.shards.plan.activity import writes_per_s
    from dbz.units import format_duration

    typer.echo(f"Counting the writes of each club for {format_duration(over_s)} …", err=True)
    found = writes_per_s(deployment, current_map(deployment)[0].shards, over_s)
    if not found:
        raise UsageError(
            "no club was written meanwhile, so there is nothing to even out by", hint="--by bytes", code="H018"
        )
    return found


def _pins(option: str, texts: list[str]) -> dict[str, str]:
    pins: dict[str, str] = {}
    for text in texts:
        club, equals, shard = text.rpartition("=")
        if not equals or not shard:
            raise UsageError(f"{option}: '{text}' is not CLUB=SHARD", code="E002")
        if pins.setdefault(club, shard) != shard:
            raise UsageError(f"{option}: club '{club}' cannot be pinned to '{pins[club]}' and '{shard}'", code="E003")
    return pins


def _save(made: MovePlan, out: Path) -> None:
    try:
        out.write_text(made.to_json() + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--out: {out} cannot be written: {error.strerror}", code="E006") from error


def _remember(made: MovePlan) -> None:
    """Keep the plan for a rebalance that names none; where that is not possible it has to name one."""
    with suppress(OSError, UsageError):
        _remembered().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _save(made, _remembered())


def last_plan() -> MovePlan | None:
    """The last plan that was made, if any."""
    from dbz.shards.plan.document import load_plan

    return load_plan(_remembered()) if _remembered().exists() else None


def _remembered() -> Path:
    from dbz.config.folders import state_dir

    return state_dir() / "shard-plan.json"
