"""Lets every user do the same number of things, so that two tools that run a file must count the same."""

from locust.exception import StopUser

ROUNDS = 12


def counted(user, rounds=ROUNDS):
    """Call it first in each task: the user stops when it has done its rounds."""
    user.done = getattr(user, "done", 0) + 1
    if user.done > rounds:
        raise StopUser
