"""Changes of a service over a bad way to its cloud, with dbz killed now and then: seeded rounds and what is wrong.

After each attempt what is there is held against the journals: whatever differs from before stands in one as begun. Then
the way is good again, and resuming must end in exactly what was wanted, or the way back in exactly what was before.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tests.chaos.bad_way import BadWay
from tests.cli.running import DBZ
from tests.cloud.clouds import RunningCloud

DOCUMENTED = (0, 1, 2, 3)
"""Of `dbz scale apply` and `set`: done; somebody else's change; nothing done, or taken back; AWS cannot be reached."""
_COMMAND_WITHIN_S = 240.0
_ROUNDS_OF_A_SERVICE = 3
"""Then a new one begins without a range."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Facts:
    """What is there, as the cloud itself says."""

    desired: int
    range: tuple[int, int] | None


def facts_of(cloud: RunningCloud, service: str) -> Facts:
    """What is there of a service, once it is steady."""
    cloud.until(service, lambda one: one["runningCount"] == one["desiredCount"], 60)
    targets = cloud.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="ecs", ResourceIds=[f"service/dbz/{service}"]
    )["ScalableTargets"]
    bounds = (targets[0]["MinCapacity"], targets[0]["MaxCapacity"]) if targets else None
    return Facts(cloud.service(service)["desiredCount"], bounds)


class ScaleChaos:
    """One service and the folder of its dbz; changes of it by hand."""

    moments = 6
    """dbz may be killed at one of so many: each is before or after a changing call."""

    def __init__(self, cloud: RunningCloud, folder: Path, seed: int) -> None:
        self._cloud, self._folder, self._random = cloud, folder, random.Random(seed)
        self._way = BadWay(cloud.url, seed)
        self._service = cloud.new_service(2)
        self._ends: Counter[str] = Counter()

    def close(self) -> None:
        """End the way."""
        self._way.close()

    def facts(self) -> Any:
        """Read past the bad way."""
        return facts_of(self._cloud, self._service)

    def begin_anew(self) -> None:
        """From here on with a service that nothing was done to."""
        self._service = self._cloud.new_service(2)

    def round(self, number: int, say: Say) -> list[str]:
        """One change, what became of it, and its end on a good way; what is wrong."""
        if number % _ROUNDS_OF_A_SERVICE == 0:
            self.begin_anew()
        before = self.facts()
        words, wanted = self.change(before)
        kill_at = self._random.randrange(self.moments) if self._random.random() < 0.5 else None
        code, said = self._attempt(words, 0.25, kill_at)
        after, wrong = self.facts(), []
        entry = self._newest()
        if kill_at is None and code not in DOCUMENTED:
            wrong.append(f"exit code {code}")
        if "Traceback" in said or "error in dbz itself" in said:
            wrong.append("a traceback")
        if code == 0 and after != wanted:
            wrong.append(f"exit code 0, but {after} instead of {wanted}")
        if after != before and (entry is None or not _has_begun(entry)):
            wrong.append(f"{before} became {after}, and no journal knows")
        end = self._end(code, before, after, wanted, wrong)
        self._ends[end] += 1
        say(f"{number}: {' '.join(words)}: {'killed' if code < 0 else code}, {before} → {after}; {end}")
        return [f"round {number} ({' '.join(words)}): {one}\n{said[-1500:]}" for one in wrong]

    def change(self, before: Any) -> tuple[list[str], Any]:
        """The words of a change, and what is to be there after it."""
        if before.range is None and self._random.random() < 0.5:
            tasks = self._random.choice([one for one in (1, 2, 3, 4) if one != before.desired])
            return ["set", "--tasks", str(tasks), "--allow-scale-in"], Facts(tasks, None)
        low = self._random.randint(1, 3)
        high = low + self._random.randint(1, 3)
        wanted = Facts(min(max(before.desired, low), high), (low, high))
        return ["set", "--min", str(low), "--max", str(high), "--allow-scale-in"], wanted

    def _end(self, code: int, before: Any, after: Any, wanted: Any, wrong: list[str]) -> str:
        """Bring the round to its end on a good way; which end that was."""
        entry = self._newest()
        if code == 0 or entry is None or _outcome(entry) in ("failed", "rolled back", "applied"):
            if code and entry is not None and _outcome(entry) == "failed" and after != before:
                wrong.append(f"said to be taken back, but {after} instead of {before}")
            return "ended by itself"
        undoing = '"undo"' in "".join(entry)
        back = undoing or self._random.random() < 0.4
        words = ["rollback", self._id()] if back else ["apply", "--resume", self._id()]
        first, _ = self._attempt(words, 0.2, None)
        again, said = (first, "") if first == 0 else self._attempt(words, 0.0, None)
        if first and again:  # the try on the bad way may have taken it back, after which the way back is the end
            back, words = True, ["rollback", self._id()]
            again, said = self._attempt(words, 0.0, None)
        found = self.facts()
        goal = before if back else wanted
        if found != goal and not (_outcome(self._newest() or []) in ("failed", "rolled back") and found == before):
            wrong.append(f"{' '.join(words)} ended with {again} in {found} instead of {goal}: {said[-800:]}")
        return f"then {words[0]}: {again}"

    def _attempt(self, words: list[str], share: float, kill_at: int | None) -> tuple[int, str]:
        env = {**os.environ, **self._cloud.env, "AWS_ENDPOINT_URL": self._way.url, "NO_COLOR": "1"}
        env["DBZ_STATE_DIR"] = str(self._folder / "state")
        command = [*DBZ, "scale", *words, "--yes", "--timeout", "20s", "--service", self._service]
        process = subprocess.Popen(
            command, cwd=self._folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

        def moment(number: int) -> None:
            if number == kill_at:
                process.send_signal(signal.SIGKILL)

        self._way.begin(share, moment)
        try:
            said, _ = process.communicate(timeout=_COMMAND_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate()
            return 99, said + "\nit hung"
        finally:
            self._way.begin(0.0)
        return process.returncode, said

    def _id(self) -> str:
        return max((self._folder / "state" / "scale").glob("*.jsonl")).stem

    def _newest(self) -> list[str] | None:
        """The lines of the newest journal, as they are on the disk."""
        paths = sorted((self._folder / "state" / "scale").glob("*.jsonl"))
        return paths[-1].read_text().splitlines() if paths else None

    def summary(self) -> str:
        """What was met and how the rounds ended."""
        met = ", ".join(f"{name} {count}" for name, count in self._way.met.items())
        ends = ", ".join(f"{count} {name}" for name, count in self._ends.items())
        return f"faults: {met}; {len(self._way.carried_out)} changing calls carried out; rounds: {ends}"


def _has_begun(lines: list[str]) -> bool:
    return any(json.loads(line).get("event") in ("begin", "undo") for line in lines if line.endswith("}"))


def _outcome(lines: list[str]) -> str:
    """What the last line says became of a change; empty when dbz was killed."""
    event = json.loads(lines[-1]).get("event", "") if lines and lines[-1].endswith("}") else ""
    return event if event in ("applied", "failed", "rolled back", "interrupted") else ""


class Trouble(Protocol):
    """Rounds of trouble, one after the other."""

    def round(self, number: int, say: Say) -> list[str]:
        """What is wrong with this one."""

    def summary(self) -> str:
        """What was met."""

    def close(self) -> None:
        """It is over."""


def chaos_of(trouble: Trouble, rounds: int, say: Say) -> list[str]:
    """What is wrong after so many rounds."""
    wrong = []
    try:
        for number in range(1, rounds + 1):
            wrong += trouble.round(number, say)
        say(trouble.summary())
    finally:
        trouble.close()
    return wrong
