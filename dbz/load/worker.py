"""A worker that joins a master, on this or another machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from dbz.extras import GENERATOR, need
from dbz.load.launch import GeneratorProcesses
from dbz.load.secret import worker_secret
from dbz.load.spec import GeneratorRole, GeneratorSpec
from dbz.runs.storage.folder import RunFolder

DEFAULT_PORT = 5557
_POLL_S = 0.2


def join_master(
    host: str, port: int, folder: Path, allowed_targets: Sequence[str], interrupted: Callable[[], bool]
) -> int:
    """Work for the master until the run ends; returns how many workers were lost (0 or 1).

    `folder` gets the log. Raises `DependencyError` when no master answers, `UsageError` when it refuses
    this worker, when there is no secret to prove, or when it names a target that may not be loaded from here.
    """
    need("the load generator", GENERATOR, "load")
    spec = GeneratorSpec(
        folder=str(folder),
        role=GeneratorRole.REMOTE,
        worker=0,
        workers=1,
        scenario="",
        target="",
        users=0,
        rate_per_s=None,
        duration_s=0,
        warmup_s=0,
        seed=0,
        clubs=0,
        started_epoch_s=0,
        started_monotonic_s=0,
        master_host=host,
        master_port=port,
        secret=worker_secret(host, port, interrupted),
        allowed_targets=tuple(allowed_targets),
    )
    with GeneratorProcesses(spec, RunFolder(folder)) as generator:
        asked = False
        while generator.running():
            if interrupted() and not asked:
                generator.interrupt()
                asked = True
            time.sleep(_POLL_S)
        generator.stop()
    return generator.lost_workers
