"""Starting the generator's processes, watching them, and ending them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace

from dbz.children import Child, free_port, python_module, stop_all, wait_for_an_end
from dbz.errors import DependencyError, UsageError
from dbz.load.secret import master_secret, new_secret
from dbz.load.spec import ENVIRONMENT_KEY, ERROR_PREFIX, GeneratorRole, GeneratorSpec, ProcessEnd
from dbz.runs.storage.folder import RunFolder

MASTER = "generator-master"
_LAST_WORDS_S = 3.0
_MASTER_ALONE_S = 10.0
"""How long a master may take after its last worker."""
_GRACE_S = 2.0
"""Between asking a process that has had its last words to end and killing it."""


class GeneratorProcesses:
    """The processes that make one load: one alone, or Locust's master and its workers. A context manager."""

    def __init__(self, spec: GeneratorSpec, folder: RunFolder) -> None:
        self._folder = folder
        self._children: dict[str, Child] = {}
        self._lost: set[str] = set()
        self._alone_since_s = 0.0
        self._secret = ExitStack()
        try:
            for name, orders in _roles(self._with_secret(spec)):
                self._children[name] = self._start(name, orders)
        except BaseException:
            self.stop()
            raise

    def _with_secret(self, spec: GeneratorSpec) -> GeneratorSpec:
        if spec.secret:
            return spec
        if spec.role is GeneratorRole.MASTER:
            secret = self._secret.enter_context(master_secret(spec.master_host, spec.master_port))
            return replace(spec, secret=secret, admits_workers=True)
        return replace(spec, secret=new_secret())

    def __enter__(self) -> GeneratorProcesses:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name (`generator-0`, `generator-master`)."""
        return {name: child.pid for name, child in self._children.items()}

    @property
    def lost_workers(self) -> int:
        """Workers that ended with an error, or had to be killed."""
        return len(self._lost)

    def running(self, patient_until_s: float = 0.0) -> bool:
        """Whether load is still being made; a master alone has until a moment of the monotonic clock for its teardown.

        `UsageError` or `DependencyError` when a process refused to begin.
        Without its master a worker would wait for ever, and without a worker the master.
        """
        for name, child in self._children.items():
            code = child.exit_code
            if code in (ProcessEnd.USAGE, ProcessEnd.UNREACHABLE):
                self._refuse(child, code)
            if code not in (None, ProcessEnd.COMPLETE):
                self._lost.add(name)
        working = any(child.exit_code is None for name, child in self._children.items() if name != MASTER)
        steering = MASTER in self._children and self._children[MASTER].exit_code is None
        if working or not steering or len(self._children) == 1:
            return (working and MASTER not in self._lost) or steering
        # Its listeners may have something to do at the end, like judging what all workers did.
        self._alone_since_s = self._alone_since_s or time.monotonic()
        return time.monotonic() < max(self._alone_since_s + _MASTER_ALONE_S, patient_until_s)

    def wait(self, timeout_s: float) -> None:
        """Wait until a process that still runs ends, but no longer than `timeout_s`."""
        wait_for_an_end([child for child in self._children.values() if child.exit_code is None], timeout_s)

    def interrupt(self) -> None:
        """Ask all processes to end early, with a complete record."""
        for child in self._children.values():
            child.interrupt()

    def stop(self) -> None:
        """End what does not end by itself now; that is a loss, because its record may lack its last second."""
        self.interrupt()
        deadline_s = time.monotonic() + _LAST_WORDS_S
        for child in self._children.values():
            child.wait(max(deadline_s - time.monotonic(), 0.0))
        self._lost |= {name for name, child in self._children.items() if child.exit_code != ProcessEnd.COMPLETE}
        stop_all(self._children.values())
        self._secret.close()

    def _start(self, name: str, spec: GeneratorSpec) -> Child:
        log = self._folder.logs / f"{name}.log"
        env = {ENVIRONMENT_KEY: spec.to_json(), "PYTHONUNBUFFERED": "1"}
        return Child(name, python_module("dbz.load.generator"), log=log, env=env, grace_s=_GRACE_S)

    def _refuse(self, child: Child, code: int) -> None:
        lines = [line for line in child.log_tail().splitlines() if line.startswith(ERROR_PREFIX)]
        if not lines:
            raise DependencyError(child.log_tail(), hint=f"log: {child.log}", code="L014")
        kind = UsageError if code == ProcessEnd.USAGE else DependencyError
        error_code, _, message = lines[-1].removeprefix(ERROR_PREFIX).partition(" ")
        raise kind(message, hint=f"log: {child.log}", code=error_code)


def _roles(spec: GeneratorSpec) -> Iterable[tuple[str, GeneratorSpec]]:
    """The processes of a run that are started here, by name."""
    if spec.role is not GeneratorRole.LOCAL:
        yield MASTER if spec.role is GeneratorRole.MASTER else "generator-remote", spec
        return
    if spec.workers == 1:
        yield "generator-0", replace(spec, role=GeneratorRole.LOCAL)
        return
    port = free_port()
    yield MASTER, replace(spec, role=GeneratorRole.MASTER, master_port=port)
    for worker in range(spec.workers):
        yield f"generator-{worker}", replace(spec, role=GeneratorRole.WORKER, worker=worker, master_port=port)
