"""A monitor that is killed at any moment tells everything, and repeats at most what was on its way."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

from tests.children.processes import ended
from tests.monitor import killed
from tests.monitor.service import Receiver, running

ROOT = Path(__file__).parent.parent.parent
KILLS = int(os.environ.get("DBZ_MONITOR_KILLS", "100" if "DBZ_WHOLE_MATRIX" in os.environ else "8"))
SEED = int(os.environ.get("DBZ_MONITOR_SEED", "20261129"))


def test_a_monitor_that_is_killed_at_any_moment_loses_nothing_and_repeats_no_more_than_one_message_each(
    tmp_path: Path,
) -> None:
    """The ledger is outside, and its receiver often takes nothing; store, outbox and channel are the real ones."""
    chance = random.Random(SEED)
    with running(Receiver()) as receiver:
        receiver.answers = [chance.choice([(200, ""), (200, ""), (500, ""), (429, "30")]) for _ in range(60)]
        wanted = killed.expected(receiver.url)
        command = [sys.executable, "-m", "tests.monitor.killed", str(tmp_path), receiver.url, str(KILLS), str(SEED)]
        with ended(subprocess.Popen(command, cwd=ROOT, start_new_session=True)) as process:
            assert process.wait(120 + KILLS) == 0
        bodies = [[alert["key"] for alert in body["alerts"]] for body in receiver.taken]
        known: set[str] = set()
        repeated = 0
        for keys in bodies:
            repeated += bool(known & set(keys))
            known |= set(keys)
        assert known == {row.key for row in wanted} and len(wanted) > 40, "nothing is lost, and nothing is invented"
        assert repeated <= KILLS
        for type_ in ("SLOW", "FAILING"):
            events = [alert["event"] for alert in {a["key"]: a for a in receiver.alerts if a["type"] == type_}.values()]
            assert [event for event in events if event != "still firing"][:2] == ["firing", "resolved"]
            turns = [event for event in events if event != "still firing"]
            assert turns == (["firing", "resolved"] * len(turns))[: len(turns)]
