"""`python -m dbz.server`: the reference server in the foreground."""

from __future__ import annotations

from dbz.server.imports import all_loaded, load_quickly

if __name__ == "__main__":  # another program that imports this one may have a use for it
    load_quickly()

import argparse
import gc
import sys
from collections.abc import Sequence
from pathlib import Path

from dbz.codes.kind import shown_code
from dbz.config.load.services import BAND_SYNC, GATEWAY, SERVICES
from dbz.errors import DbzError, UsageError
from dbz.server.apart.plan import check_apart
from dbz.server.apart.processes import ServiceSupervisor
from dbz.server.app import Application
from dbz.server.auth.vault import Vault, throwaway_key
from dbz.server.band_api.config import check_band
from dbz.server.data.sharding import check_shards
from dbz.server.data.warmup import warmup_of
from dbz.server.observe.logs import configure_logs
from dbz.server.process import serve, with_secret
from dbz.server.push.opening import check_push
from dbz.server.seed.first import write_first
from dbz.server.settings import Settings, load_settings


def command_line(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of this program, by their names."""
    parser = argparse.ArgumentParser(prog="python -m dbz.server", description="The reference server of dbz.")
    parser.add_argument("--config", type=Path, help="YAML file, see configs/server.yaml")
    parser.add_argument("--host", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (8000)")
    parser.add_argument("--processes", type=int, help="server processes on that port (1)")
    parser.add_argument("--group", help="share the port with other servers of this name")
    parser.add_argument(
        "--services", metavar="PLAN", help="every service in processes of its own: apart, or chat=2,gateway=2"
    )
    parser.add_argument("--service", choices=(*SERVICES, BAND_SYNC, GATEWAY), help=argparse.SUPPRESS)
    parser.add_argument("--mongo-uri", help="document store, or the variable MONGODB_URI")
    parser.add_argument("--database", help="database name (dbz)")
    parser.add_argument(
        "--shards", metavar="FILE", help="clubs lie on the shards of this file; see configs/shards.yaml"
    )
    parser.add_argument("--redis-url", help="Redis, or the variable REDIS_URL")
    parser.add_argument("--warmup", metavar="FILE", help="what is warmed at start, or none (configs/warmup.yaml)")
    parser.add_argument("--policy", choices=("tuned", "plan"), help="batching of chat messages (tuned)")
    parser.add_argument(
        "--emf", metavar="CLUSTER/SERVICE", help="write open connections to standard output for CloudWatch"
    )
    parser.add_argument("--emf-period", type=float, metavar="SECONDS", help="how often (60)")
    parser.add_argument(
        "--faults", action="store_true", default=None, help="let admins make it slow, failing or leaking"
    )
    parser.add_argument("--access-ttl", type=int, metavar="SECONDS", help="how long access tokens are valid (900)")
    parser.add_argument("--demo-clubs", type=int, default=0, metavar="N", help="write demo data of N clubs first (0)")
    parser.add_argument("--demo-seed", type=int, default=1, help="the same seed gives the same demo data (1)")
    return parser.parse_args(argv)


def settings_of(given: argparse.Namespace) -> Settings:
    """Settings from the command line, the environment and the configuration file."""
    cluster, _, service = (given.emf or "").partition("/")
    overrides = {
        "http": {
            "host": given.host,
            "port": given.port,
            "processes": given.processes,
            "group": given.group,
            "faults": given.faults,
        },
        "stores": {
            "mongo_uri": given.mongo_uri,
            "database": given.database,
            "redis_url": given.redis_url,
            "shards": given.shards,
        },
        "auth": {"access_ttl_s": given.access_ttl},
        "realtime": {"policy": given.policy},
        "cache": {"warmup": given.warmup},
        "mesh": {"services": given.services, "service": given.service},
        "emf": {"cluster": cluster or None, "service": service or None, "period_s": given.emf_period},
    }
    return load_settings(given.config, overrides=overrides)


def _with_own_keys(settings: Settings) -> Settings:
    """Settings in which a gateway has keys that open nothing: it knows the routes of links with Band only."""
    if settings.band.url and settings.mesh.service == GATEWAY:
        return settings.model_copy(update={"band_token_keys": throwaway_key()})
    return settings


def main(argv: Sequence[str] | None = None) -> int:
    """Serve; the exit code says what was wrong when serving could not begin."""
    try:
        given = command_line(argv)
        settings = settings_of(given)
        warmup_of(settings.cache.warmup)
        check_shards(settings.stores)
        check_band(settings)
        if settings.mesh.service in ("", "notification"):  # nobody else has the keys
            check_push(settings)
        settings = _with_own_keys(settings)
        if settings.band.url and settings.mesh.service in ("", "auth", GATEWAY):
            Vault(settings.band_token_keys)
        configure_logs(settings.log_level)
        if settings.http.faults and settings.http.processes > 1 and not settings.mesh.service:
            raise UsageError("faults are those of one process: leave out --processes, or --faults", code="E003")
        if settings.mesh.services:
            check_apart(settings)
        if given.demo_clubs:
            write_first(settings.stores, seed=given.demo_seed, clubs=given.demo_clubs)
        if settings.mesh.services:
            ServiceSupervisor(with_secret(settings), sys.argv[1:] if argv is None else argv).run()
        else:
            serve(with_secret(settings), Application)
    except DbzError as error:
        sys.stderr.write(f"error: {error.message} [{shown_code(error.code)}]\n{error.hint}\n")
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    all_loaded()
    code = main()
    gc.freeze()  # on its way out Python searches all there is for garbage: a fifth of a second, for nothing
    sys.exit(code)
