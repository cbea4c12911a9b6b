"""A rehearsal: one user of each class does each of its tasks once, and everything that passes is told."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dbz.children import Child, python_module
from dbz.errors import DependencyError, ExitCode, UsageError
from dbz.load.planning.plan import LoadPlan
from dbz.load.run import generator_spec
from dbz.load.spec import ENVIRONMENT_KEY
from dbz.runs.storage.tail import RecordTail

_POLL_S = 0.1
_DEADLINE_S = 600.0

Told = dict[str, Any]
"""What happened, by `what`: `step` and `done` (with user and task), `http`, `socket`, `raised`; `at_s` says when."""


@dataclass(frozen=True)
class RehearsalTerms:
    """How a rehearsal is played."""

    task_s: float = 20.0
    """No task, `on_start` or `on_stop` takes longer than this."""
    times_s: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """By user class: when its requests, connects and events begin, in their order, instead of after pauses."""


def rehearse(
    plan: LoadPlan, interrupted: Callable[[], bool], terms: RehearsalTerms = RehearsalTerms()
) -> Iterator[Told]:
    """What happens in a rehearsal of a plan, as it happens.

    `UsageError` when the scenario is wrong, `DependencyError` when its process ends before it is done.
    """
    with tempfile.TemporaryDirectory(prefix="dbz-try-") as scratch:
        answer = Path(scratch) / "told.jsonl"
        spec = generator_spec(plan, Path(scratch), time.monotonic(), datetime.now(UTC))
        question = json.dumps({"spec": spec.to_json(), "answer": str(answer), "terms": asdict(terms)})
        command, log = python_module("dbz.load.generator.rehearsal"), Path(scratch) / "log"
        with Child("rehearsal", command, log=log, env={ENVIRONMENT_KEY: question}, grace_s=1) as child:
            tail, until_s = RecordTail(answer), time.monotonic() + _DEADLINE_S
            while True:
                code = child.exit_code
                for line in tail.new_lines():
                    yield _told(json.loads(line))
                if code is not None or interrupted() or time.monotonic() > until_s:
                    break
                time.sleep(_POLL_S)
            if code not in (ExitCode.OK, None):
                raise DependencyError(f"the rehearsal ended early, with code {code}:\n{child.log_tail()}", code="L014")


def _told(line: Told) -> Told:
    if line["what"] == "refused":
        raise UsageError(line["error"], hint=line["hint"], code=line["code"])
    return line
