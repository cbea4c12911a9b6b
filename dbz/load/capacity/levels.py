"""A search over users: one load that goes on, to which users are added, and from which they are taken again."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from dbz.load.capacity.hooks import SearchHooks
from dbz.load.capacity.live import LiveLoad
from dbz.load.capacity.looks import Answer
from dbz.load.capacity.plan import SETTLE_SHARE_OF_WARMUP, CapacityPlan, plan_all_levels, plan_at
from dbz.load.capacity.result import step_of
from dbz.load.capacity.search import Next
from dbz.load.target.allowed_hosts import reach
from dbz.runs.capacity import RUNS, CapacityStep
from dbz.runs.schema import Run, RunVerdict, Window
from dbz.runs.storage.folder import create_run_folder, new_run_id

SETTLE_LEAST_S = 2.0
"""What passes at least when the last user has started; all of the warm-up does before the first users are judged, since
nothing is warm then."""
RECOVERED_S = 3
"""A server has recovered from an overload when it held a load for so many seconds that it held before."""
RECOVERY_MOST_S = 30.0
"""After so long the search goes on without that."""
_LEAVING_S = 2.0
"""In so long users are taken away."""
_THERE_SHARE = 0.99
"""A load that fewer of its users make is another load."""


@dataclass(frozen=True)
class Recovery:
    """How long the server was given after an overload, and whether it held then what it had held before."""

    seconds: float = 0.0
    complete: bool = True


class LiveLevels:
    """Looks at numbers of users of one run; a context manager."""

    def __init__(self, plan: CapacityPlan, folder: Path, hooks: SearchHooks) -> None:
        self._plan, self._folder, self._hooks = plan, folder, hooks
        self._users = self._there = 0
        """How many users were asked for, and were there when that was last looked at."""
        self._held: set[int] = set()
        """Numbers of users of which the last look said that they are held."""
        self._overloaded = False
        """Whether the users that are there were not held."""
        self._opened = ExitStack()

    def __enter__(self) -> LiveLevels:
        plan = plan_all_levels(self._plan)
        with ExitStack() as opened:
            ground = opened.enter_context(self._hooks.prepare(plan))
            reach(ground.target)
            run_id = new_run_id(plan.profile.name, datetime.now(UTC))
            folder = create_run_folder(self._folder / RUNS, run_id)
            opened.callback(self._hooks.run_ended, folder)
            profile = self._plan.plan.profile
            per_club = profile.users / profile.stack.clubs if plan.embedded else 0.0
            load = replace(plan, target=ground.target)
            self._live = opened.enter_context(
                LiveLoad(load, folder, ground.check, self._hooks.interrupted, users_per_club=per_club)
            )
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._opened.__exit__(*error)  # type: ignore[arg-type]

    def look(self, step: Next) -> CapacityStep | None:
        """Bring the users of a step, let them settle, and judge; None when the user wants to stop."""
        recovery = self._recover(step.load) if self._overloaded and step.load != self._users else Recovery()
        if recovery is None or not self._bring(step.load):
            return None
        start_s = math.ceil(self._live.now_s)
        run = self._judge(step.load, start_s, self._plan.length_s(step.length))
        if run is None:
            return None
        done = step_of(run, step).model_copy(update={"recovery_s": recovery.seconds, "recovered": recovery.complete})
        self._overloaded = done.answer != Answer.HOLDS
        self._held.discard(step.load)
        if not self._overloaded:
            self._held.add(step.load)
        return done

    def _bring(self, users: int) -> bool:
        """Start the users that a load misses, those who ended by themselves among them, and let them settle."""
        if users == self._users and self._are_there(users):
            return True
        share = SETTLE_SHARE_OF_WARMUP if self._users else 1.0
        if not self._change(users):
            return False
        settle_s = max(share * self._plan.plan.profile.warmup, SETTLE_LEAST_S)
        return self._live.wait_until(self._live.now_s + settle_s)

    def _are_there(self, users: int) -> bool:
        return self._there >= _THERE_SHARE * users

    def _change(self, users: int) -> bool:
        missing = users - self._users
        per_s = self._plan.users_per_s if missing > 0 else -missing / _LEAVING_S
        done = self._live.change(users, max(per_s, 1.0), self._users)
        self._users = self._there = users
        return done

    def _recover(self, users: int) -> Recovery | None:
        """Go back to the most users that were held, no more than the next ones, until they are held again.

        What an overload left behind would else be blamed on the next load. Where none held, the next one itself is
        waited for. None when the user wants to stop.
        """
        back = max((held for held in self._held if held <= users), default=users)
        begun_s = self._live.now_s
        if not self._change(back):
            return None
        self._hooks.recovering(back)
        while self._live.now_s < begun_s + RECOVERY_MOST_S:
            run = self._judge(back, math.ceil(self._live.now_s), RECOVERED_S)
            if run is None:
                return None
            if run.verdict is RunVerdict.PASS:
                return Recovery(round(self._live.now_s - begun_s, 1), complete=True)
            if not self._are_there(back) and not self._change(back):
                return None
        return Recovery(round(self._live.now_s - begun_s, 1), complete=False)

    def _judge(self, users: int, start_s: int, length_s: float) -> Run | None:
        """What the seconds from `start_s` on say, when they have passed; None when the user wants to stop."""
        window = Window(start_s=start_s, end_s=start_s + math.ceil(length_s))
        if not self._live.wait_until(window.end_s):
            return None
        run = self._live.judge(plan_at(self._plan, users), window)
        if run is None:
            return None
        self._there = run.users_held or 0
        if self._are_there(users):
            return run
        why = f"only {self._there:,} of {users:,} users were there: the others ended by themselves"
        return run.model_copy(update={"verdict": RunVerdict.INVALID, "reasons": [why, *run.reasons]})
