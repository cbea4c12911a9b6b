"""What services apart cannot be together with."""

from __future__ import annotations

import sys

from dbz.config.load.services import instances_of
from dbz.errors import DependencyError, UsageError
from dbz.server.settings import Settings


def check_apart(settings: Settings) -> None:
    """`UsageError` for a plan that is none, and for what one process only can do; `DependencyError` where processes
    cannot be forked as they are here."""
    instances_of(settings.mesh.services, band=bool(settings.band.url))
    if sys.platform != "linux":
        raise DependencyError("services apart need Linux", hint="leave out --services, or use the image", code="E015")
    if settings.http.processes > 1:
        raise UsageError("--processes does not go with --services", hint="--services gateway=2,game=2", code="E003")
    if settings.http.group:
        raise UsageError("a server with services apart shares its port with no other: leave out --group", code="E003")
