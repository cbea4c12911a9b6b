"""What is watched."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from dbz.config.metrics import TargetMetrics, check_place
from dbz.config.model import Size, Strict
from dbz.config.monitor.fields import NAME, HttpUrl, named


class WatchedTarget(Strict):
    """A service, and where it tells how it is."""

    name: Annotated[str, named(NAME, "api")]
    url: HttpUrl
    health: Annotated[str, AfterValidator(check_place)] = "/healthz"
    """A path below the URL, or a URL of its own; an answer of 404 means that the service has none."""
    metrics: TargetMetrics = TargetMetrics()
    memory_limit: Size | None = None
    """What `memory > 80%` is a share of [default: the memory of this machine, for a service on it]."""
