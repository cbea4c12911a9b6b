"""Which packages are installed, and which extras bring those that are not."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

import dbz
from dbz.doctor.findings import Diagnosis, Fitness
from dbz.extras import AWS_CLIENT, CLOUD, GENERATOR, OTLP, RECORD, SERVER, cure_of, missing_of

_AREA = "packages"
_CORE = ("httpx", "orjson", "pydantic")
_EXTRAS = {
    "load": (GENERATOR, "dbz load, dbz capacity, dbz try"),
    "embedded": (SERVER, "the reference stack, dbz cache, dbz shard"),
    "aws": (AWS_CLIENT, "dbz scale on an account"),
    "embedded,cloud": (CLOUD, "dbz serve --cloud"),
    "otlp": (OTLP, "figures to an OpenTelemetry collector"),
    "record": (RECORD, "dbz record"),
}


def look_at_packages() -> Iterator[Diagnosis]:
    """The versions of dbz and of what it stands on, and every extra."""
    versions = ", ".join(f"{name} {_version(name)}" for name in _CORE)
    yield Diagnosis(_AREA, "dbz", Fitness.GOOD, f"{dbz.__version__} ({versions})")
    for extra, (packages, what) in _EXTRAS.items():
        name = extra.rpartition(",")[2]
        missing = missing_of(packages)
        if missing:
            text = f"not installed: {', '.join(missing)} (for {what})"
            yield Diagnosis(_AREA, name, Fitness.ABSENT, text, cure_of(missing, extra))
        else:
            yield Diagnosis(_AREA, name, Fitness.GOOD, f"installed, for {what}")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(version unknown)"
