"""Lets every user do the same number of things, so that two tools that run a file must count the same."""

import gevent
from locust.exception import StopUser

ROUNDS = 12
_watched = []


def counted(user, rounds=ROUNDS):
    """Call it first in each task: the user stops when it has done its rounds. The run ends with its last user."""
    if not _watched and user.environment.shape_class is None:
        _watched.append(gevent.spawn(_end_with_the_last_user, user.environment.runner))
    user.done = getattr(user, "done", 0) + 1
    if user.done > rounds:
        raise StopUser


def _end_with_the_last_user(runner):
    """Users have `on_stop` behind them when they are no longer counted."""
    while runner.user_count:
        gevent.sleep(0.1)
    if type(runner).__name__ == "LocalRunner":
        runner.quit()
