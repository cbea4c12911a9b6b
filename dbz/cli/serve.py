"""`dbz serve`: the embedded stack in the foreground."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dbz.cli.options import duration_of
from dbz.errors import InterruptedRunError, UsageError

if TYPE_CHECKING:
    from dbz.stack import RunningStack, Stack, StackOptions

DEFAULT_PORT = 8480
_WATCH_EVERY_S = 0.25
_MEMBERS_PER_CLUB = 200
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _StopRequested(BaseException):
    """The user asked the stack to stop; like KeyboardInterrupt no error, so nothing on the way takes it for one."""


def serve(
    port: Annotated[
        int, typer.Option(help="Port of the server; 0 takes any free one.", min=0, max=65535)
    ] = DEFAULT_PORT,
    clubs: Annotated[int, typer.Option(help="Demo clubs, 200 members each.", min=1, max=100)] = 3,
    seed: Annotated[int, typer.Option(help="The same seed gives the same demo data.")] = 1,
    policy: Annotated[
        Literal["tuned", "plan"],
        typer.Option(help="Chat batching: tuned, or as the plan was written (slow; a budget catches it)."),
    ] = "tuned",
    processes: Annotated[int, typer.Option(help="Server processes.", min=1, max=64)] = 1,
    services: Annotated[
        str,
        typer.Option(
            metavar="PLAN", help="Every service in processes of its own behind a gateway: apart, or chat=2,gateway=2."
        ),
    ] = "",
    shards: Annotated[
        int,
        typer.Option(help="Document stores that hold the clubs; with 2 or more another one stands by.", min=1, max=3),
    ] = 1,
    cloud: Annotated[
        bool, typer.Option("--cloud", help="Run the servers as tasks of a local cloud, for dbz scale.")
    ] = False,
    tasks: Annotated[int, typer.Option(help="With --cloud: tasks at the start.", min=1, max=20)] = 2,
    period: Annotated[
        str, typer.Option(help="With --cloud: how often metrics are written and alarms looked at.")
    ] = "10s",
    faults: Annotated[
        bool,
        typer.Option("--faults", help="Let admins make the server slow, failing or leaking: PUT /api/admin/faults."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the URLs as one JSON document.")] = False,
) -> None:
    """Run the embedded backend in the foreground until Ctrl-C.

    \b
    Document store, cache and server listen on loopback only, with demo data
    that are gone when it stops.
    Other dbz commands find it through a small state file.
    Exit code 0 on Ctrl-C or SIGTERM, 3 when one of its parts dies.

    \b
    Examples:
      dbz serve                         the backend on http://127.0.0.1:8480
      dbz serve --clubs 10 --seed 7     2,000 members, other data
      dbz serve --port 0 --json         any free port, URLs for a script
      dbz serve --policy plan           chat batching as first planned, too slow
      dbz serve --shards 2 --clubs 12   shards for dbz shard to work on
      dbz serve --cloud --tasks 2       two tasks in a local cloud; dbz scale status
      dbz serve --services chat=2       services apart, two of chat, and a gateway
      dbz serve --cloud --services apart  each service an ECS service
      dbz serve --faults                a server to try dbz monitor on
      dbz serve --services apart --faults   faults of one service: docs/server.md
    """
    from dbz.stack import StackOptions

    period_s = duration_of("--period", period)
    if cloud and processes != 1:
        raise UsageError(
            "--processes does not go with --cloud: each task is one process", hint="--tasks N", code="E003"
        )
    if faults and (cloud or processes != 1):
        raise UsageError(
            "--faults are those of one server process", hint="leave out --processes and --cloud", code="E003"
        )
    if services:
        _check_plan(services, alone=processes == 1, cloud=cloud)
    options = StackOptions(
        clubs=clubs, seed=seed, policy=policy, processes=processes, port=port or None, shards=shards,
        cloud=tasks if cloud else 0, cloud_period_s=period_s, faults=faults, services=services,
    )  # fmt: skip
    with _stop_signals_raise():
        try:
            _run(options, as_json)
        except _StopRequested:
            raise InterruptedRunError("stopped before the stack was up; nothing is left running") from None


def _check_plan(services: str, *, alone: bool, cloud: bool) -> None:
    from dbz.config.load.services import GATEWAY, has_band, instances_of

    plan = instances_of(services, band=has_band())
    if cloud and plan[GATEWAY] != 1:
        raise UsageError("with --cloud the gateways are the tasks of api", hint="--tasks N", code="E003")
    if not alone:
        raise UsageError(
            "--services does not go with --processes",
            hint="--services gateway=2,game=2 says how many processes each has",
            code="E003",
        )


def _run(options: StackOptions, as_json: bool) -> None:
    from dbz.config.folders import state_dir
    from dbz.stack import start_stack
    from dbz.stack.state import claim, describe, publish

    logs = state_dir() / "serve-logs"
    with claim():
        _remove_logs(logs)
        _say(f"Starting the document store, the cache and the server (logs: {logs}) …")
        with start_stack(options, logs) as stack, _ending_on_request():
            running = describe(stack)
            publish(running)
            _announce(running, stack.started_in_s, options, as_json)
            _watch(stack)
    _say("Stopped.")


@contextmanager
def _ending_on_request() -> Iterator[None]:
    """From here on the stack is up, and asking it to stop is the normal end."""
    try:
        yield
    except _StopRequested:
        _say("Stopping …")


def _watch(stack: Stack) -> None:
    """Wait until a part ends by itself: `DependencyError`."""
    while True:
        stack.check()
        time.sleep(_WATCH_EVERY_S)


def _remove_logs(folder: Path) -> None:
    for log in folder.glob("*.log"):
        with suppress(OSError):  # one that cannot be removed is appended to, or refused when it is opened
            log.unlink()


def _announce(running: RunningStack, started_in_s: float, options: StackOptions, as_json: bool) -> None:
    from dbz.stack import StackOptions

    _say(f"Ready after {started_in_s:.1f} s.")
    if as_json:
        import json

        typer.echo(json.dumps(running.document(), indent=2))
        return
    last_user = options.clubs * _MEMBERS_PER_CLUB - 1
    typer.echo(
        f"Server    {running.url}\n"
        f"MongoDB   {running.mongo_uri}\n"
        f"Redis     {running.redis_url}\n"
        f"Log in    user0000 … user{last_user:04d}, password demo\n"
        f"Logs      {running.logs}\n"
        f"Load it   dbz load mixed --target {running.url}\n"
        "Stop it   Ctrl-C"
    )
    wanted = StackOptions().clubs
    if options.clubs < wanted:
        typer.echo(
            f"Clubs     {options.clubs} of the {wanted} that users of bundled loads are from: without stack: "
            f"{{clubs: {options.clubs}}} in the profile some cannot log in"
        )
    if options.services:
        typer.echo(f"Services  {running.url}/healthz")
    if running.cloud_url:
        others = " and one for each service" if options.services else ""
        typer.echo(
            f"Cloud     {running.cloud_url} (AWS_ENDPOINT_URL), region eu-west-1, cluster dbz, service api{others}\n"
            "Scale it  dbz scale status --local"
        )


def _say(text: str) -> None:
    with suppress(OSError):  # the terminal may be gone: that is one of the reasons to stop
        typer.echo(text, err=True)


@contextmanager
def _stop_signals_raise() -> Iterator[None]:
    """Within this block the first stop signal raises `_StopRequested`; later ones do not disturb the clean-up."""

    def on_signal(_signum: int, _frame: FrameType | None) -> None:
        for each in _STOP_SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise _StopRequested

    before = [(each, signal.signal(each, on_signal)) for each in _STOP_SIGNALS]
    try:
        yield
    finally:
        for each, handler in before:
            signal.signal(each, handler)
