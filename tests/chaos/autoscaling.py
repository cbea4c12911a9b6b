"""`dbz scale auto` over a bad way to its cloud: killed, cut off and started again while the load goes up and down.

The way knows each number of tasks that was set, the journals when each step was decided. None may be unknown to the
journals, leave the bounds, be larger than a step, or come before the cooldown of the one before it is over.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.chaos.bad_way import BadWay
from tests.chaos.scaling import DOCUMENTED, Say
from tests.cli.running import DBZ
from tests.cloud.clouds import CALM, RunningCloud

PLAN = """\
schema: dbz.phases/1
phases: [{name: any, users: 9, connections: 1, requests: 1/s}]
scale_out_when_any: ["CPU > 70% for 2 seconds"]
scale_in_when_all: ["CPU < 30% for 2 seconds"]
scaling: {period: 1s, cooldown_out: 4s, cooldown_in: 4s, data_age: 10s, bounds: {min: 1, max: 5}}
"""
COOLDOWN_S, LOWEST, HIGHEST = 4.0, 1, 5
_SLACK_S = 0.05
"""A journal says milliseconds, and the daemon's time is that of its look before."""
_RUN_S = 7.0
_CUT_S = 2.0
_EVERYTHING = 1_000_000
_LOADS = (0.05, 0.1, 1.0, 3.0, 20.0)
"""In CPUs of all tasks together."""


class AutoChaos:
    """One service, and the folder of the dbz that follows it."""

    def __init__(self, cloud: RunningCloud, folder: Path, seed: int) -> None:
        self._cloud, self._folder, self._random = cloud, folder, random.Random(seed)
        self._way = BadWay(cloud.url, seed)
        self._service = cloud.new_service(2)
        self._ends: Counter[str] = Counter()
        (folder / "plan.yaml").write_text(PLAN)

    def close(self) -> None:
        """End the way, and calm the load."""
        self._way.close()
        self._cloud.control(**CALM)

    def round(self, number: int, say: Say) -> list[str]:
        """A load, a daemon that meets it, and its end; what is wrong."""
        self._cloud.control(demand=self._random.choice(_LOADS))
        how = self._random.choice(("killed", "cut off", "interrupted"))
        code, said = self._follow(how, self._random.randrange(4))
        wrong = [f"exit code {code}"] if how != "killed" and code not in DOCUMENTED else []
        if "Traceback" in said or "error in dbz itself" in said:
            wrong.append("a traceback")
        wrong += self.judge()
        self._ends[how] += 1
        say(f"{number}: {how}: {code}, {self._cloud.service(self._service)['desiredCount']} tasks")
        return [f"round {number} ({how}): {one}\n{said[-1500:]}" for one in wrong]

    def _follow(self, how: str, at: int) -> tuple[int, str]:
        env = {**os.environ, **self._cloud.env, "AWS_ENDPOINT_URL": self._way.url, "NO_COLOR": "1"}
        env |= {"DBZ_STATE_DIR": str(self._folder / "state"), "AWS_MAX_ATTEMPTS": "2"}
        command = [*DBZ, "scale", "auto", "--phases", "plan.yaml", "--yes", "--service", self._service]
        process = subprocess.Popen(
            command, cwd=self._folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

        def moment(number: int) -> None:
            if number == at and how == "killed":
                process.send_signal(signal.SIGKILL)
            if number == at and how == "cut off":
                self._way.lose = _EVERYTHING

        self._way.begin(0.1, moment)
        end_s = time.monotonic() + _RUN_S
        cut_s: float | None = None
        while time.monotonic() < end_s and process.poll() is None:
            time.sleep(0.05)
            if self._way.lose:
                cut_s = cut_s or time.monotonic()
                self._way.lose = _EVERYTHING if time.monotonic() - cut_s < _CUT_S else 0
        self._way.begin(0.0)
        process.send_signal(signal.SIGKILL if how == "killed" else signal.SIGINT)
        try:
            said, _ = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate()
            return 99, said + "\nit hung"
        return process.returncode, said

    def judge(self) -> list[str]:
        """What is wrong with all that was done to the service until now."""
        wrong = []
        counts = [2]
        for call in self._way.carried_out:
            if call.action == "UpdateService" and call.body and (count := json.loads(call.body).get("desiredCount")):
                counts += [count] if count != counts[-1] else []
        if [one for one in counts if not LOWEST <= one <= HIGHEST]:
            wrong.append(f"beyond the bounds: {counts}")
        if [pair for pair in pairwise(counts) if abs(pair[1] - pair[0]) != 1]:
            wrong.append(f"more than a step at once: {counts}")
        steps = list(self._steps())
        known = {(step["before"], step["after"]) for _, step in steps}
        if not set(pairwise(counts)) <= known:
            wrong.append(f"no journal knows a step of {counts}: {known}")
        made = [at_s for at_s, _ in steps]
        if early := [round(later - at, 2) for at, later in pairwise(made) if later - at < COOLDOWN_S - _SLACK_S]:
            wrong.append(f"before the cooldown was over, after {early} s: {counts}")
        return wrong

    def _steps(self) -> Any:
        """When each step that may have taken effect was decided, and what it was."""
        for path in sorted((self._folder / "state" / "scale").glob("*.jsonl")):
            head, *events = (json.loads(line) for line in path.read_text().splitlines() if line.endswith("}"))
            names = [one["event"] for one in events]
            if "begin" in names and "undone" not in names:
                yield datetime.fromisoformat(head["at"]).timestamp(), head["plan"]["steps"][0]

    def summary(self) -> str:
        """How the rounds ended."""
        ends = ", ".join(f"{count} {name}" for name, count in self._ends.items())
        return f"{len(self._way.carried_out)} changing calls carried out; rounds: {ends}"
