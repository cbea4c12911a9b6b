"""Gives a program open descriptors under the numbers that it expects: the first as 3, the next as 4, and so on.

Run as a script (`python -I -S descriptors.py 11,12 PROGRAM ARG…`) that becomes the program, so that its process id
stays.
"""

from __future__ import annotations

import os
import sys

_FIRST = 3


def become(descriptors: list[int], argv: list[str]) -> None:
    """Execute `argv` in this process with the descriptors moved; `OSError` when it cannot be."""
    # Copies beyond all numbers that are given out: one of them may itself be 3 or 4.
    copies = [_copied(each, _FIRST + len(descriptors)) for each in descriptors]
    for number, copy in enumerate(copies, _FIRST):
        os.dup2(copy, number, inheritable=True)
    os.execvp(argv[0], argv)  # noqa: S606 the argument list comes from dbz itself


def _copied(descriptor: int, least: int) -> int:
    """A copy with a number of at least `least`, which the program does not inherit."""
    below = []
    try:
        while True:
            copy = os.dup(descriptor)
            if copy >= least:
                return copy
            below.append(copy)
    finally:
        for each in below:
            os.close(each)


if __name__ == "__main__":
    try:
        become([int(each) for each in sys.argv[1].split(",")], sys.argv[2:])
    except OSError as error:
        os.write(2, f"cannot start {sys.argv[2]}: {error.strerror}\n".encode())
        sys.exit(126 if isinstance(error, PermissionError) else 127)
