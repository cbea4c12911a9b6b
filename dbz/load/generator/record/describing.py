"""Errors in one line: what was raised, and by which line of the scenario."""

from __future__ import annotations

import sysconfig
import traceback
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import dbz
from dbz.config import bundled
from dbz.load.generator.net.limits import limit_behind

_SCENARIOS = str(bundled.bundled_folder("scenarios"))
_LOCUST = find_spec("locust")
_OF_OTHERS = (
    str(Path(_LOCUST.origin).parent) if _LOCUST and _LOCUST.origin else "<",
    str(Path(dbz.__file__).parent),
    sysconfig.get_path("stdlib"),
    "<",
)


def describe(exception: BaseException) -> str:
    """The error's class and message on one line; of one that the generator itself is the reason of, that reason."""
    limit = limit_behind(exception)
    if limit is not None:
        return str(limit)
    text = " ".join(str(exception).split())
    return f"{type(exception).__name__}: {text}" if text else type(exception).__name__


def describe_with_line(exception: BaseException) -> str:
    """The same, with the line of the scenario that was the last to have a hand in it."""
    frame = next((one for one in reversed(_frames(exception)) if _of_scenario(one.filename)), None)
    where = f" ({Path(frame.filename).name}:{frame.lineno})" if frame else ""
    return f"{describe(exception)}{where}"


def function_of(exception: BaseException) -> str:
    """The outermost function of the scenario's: the task, the listener, the constructor."""
    frames = _frames(exception)
    frame = next((one for one in frames if _of_scenario(one.filename)), frames[-1] if frames else None)
    return frame.name if frame else type(exception).__name__


def _frames(exception: BaseException) -> traceback.StackSummary:
    return traceback.extract_tb(exception.__traceback__)


@lru_cache(1024)
def _of_scenario(filename: str) -> bool:
    """Whether a file is the scenario's, and not the library's that it called."""
    if filename.startswith(_SCENARIOS):
        return True
    if "site-packages" in filename or filename.startswith(_OF_OTHERS):
        return False
    return Path(filename).is_file()  # compiled modules name files of the machine that compiled them
