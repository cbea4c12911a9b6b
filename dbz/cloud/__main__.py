"""`python -m dbz.cloud`: the local cloud in the foreground."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from dbz.cloud.ecs.tasks import PaperRunner, Runner


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m dbz.cloud", description="The local cloud of dbz.")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes any free one")
    parser.add_argument("--region", default="eu-west-1")
    parser.add_argument("--cluster", default="dbz")
    parser.add_argument("--service", default="api")
    parser.add_argument("--tasks", type=int, default=2, help="tasks at the start")
    parser.add_argument(
        "--services", type=_counts, default={}, metavar="NAME=TASKS,…",
        help="further services; with --server-port each is that service of the app, and --service its gateway",
    )  # fmt: skip
    parser.add_argument("--start-delay", type=float, default=1.0, help="seconds until a task on paper answers")
    parser.add_argument("--period", type=float, default=60.0, help="seconds between metrics")
    parser.add_argument("--cache-group", default="", help="name of an ElastiCache replication group")
    parser.add_argument("--cache-nodes", type=int, default=2)
    parser.add_argument("--lease-table", default="dbz-leases", help="name of a DynamoDB table for leases")
    parser.add_argument("--load-balancer", default="dbz", help="name of a load balancer and its target group")
    parser.add_argument("--server-port", type=int, default=0, help="tasks are reference servers on this shared port")
    parser.add_argument("--logs", type=Path, default=Path(), help="folder for the logs of such tasks")
    parser.add_argument("server", nargs="*", help="after --: arguments of python -m dbz.server")
    given = parser.parse_args(argv)
    from dbz.cloud.furnishing import CloudOptions
    from dbz.cloud.server import Cloud

    options = CloudOptions(
        port=given.port, region=given.region, cluster=given.cluster, service=given.service, tasks=given.tasks,
        cache_group=given.cache_group, cache_nodes=given.cache_nodes, period_s=given.period,
        lease_table=given.lease_table, load_balancer=given.load_balancer, services=given.services,
    )  # fmt: skip
    ended = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: ended.set())
    with Cloud(options, _runner(given)) as cloud:
        sys.stdout.write(f"http://127.0.0.1:{cloud.port}\n")
        sys.stdout.flush()
        ended.wait()
    return 0


def _counts(text: str) -> dict[str, int]:
    """`chat=2,game=1`; ValueError for anything else, which argparse reports."""
    pairs = (part.split("=") for part in text.split(","))
    return {name.strip(): int(count) for name, count in pairs}


def _runner(given: argparse.Namespace) -> Runner:
    if not given.server_port:
        return PaperRunner(given.start_delay)
    from dbz.cloud.ecs.processes import ProcessRunner, ServerOptions

    # Twice a period, so that no period is without a value.
    metrics = ["--emf", f"{given.cluster}/{given.service}", "--emf-period", f"{given.period / 2:g}"]
    gateway = given.service if given.services else ""
    return ProcessRunner(ServerOptions(given.server_port, (*given.server, *metrics), {}, given.logs, gateway))


if __name__ == "__main__":
    sys.exit(main())
