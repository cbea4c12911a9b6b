"""`python -m dbz.load.generator.inspection`: import a Locust file and say what is in it. See `dbz.load.locust_file`."""

from dbz.load.generator.patching import patch_standard_library

patch_standard_library()

import json  # noqa: E402
import math  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

from locust import FastHttpUser, HttpUser  # noqa: E402

from dbz.errors import UsageError  # noqa: E402
from dbz.load.generator import users  # noqa: E402
from dbz.load.generator.crowd.user_classes import load_scenario, locust_options  # noqa: E402
from dbz.load.generator.net import fence  # noqa: E402
from dbz.load.spec import INSPECTION_KEY  # noqa: E402

_NEED_A_HOST = (HttpUser, FastHttpUser, users.HttpUser)
_LONGEST_SHAPE_S = 7 * 86_400
_REHEARSAL_S = 10.0


def inspect(path: str, allowed_targets: list[str]) -> dict[str, Any]:
    """The document that `dbz.load.locust_file.look_into` reads."""
    fence.install(fence.HostFence(allowed_targets))
    try:
        classes, shape = load_scenario(path)
        options = locust_options([])
    except UsageError as error:
        return {"error": error.message, "hint": error.hint, "code": error.code}
    spawned = [one for one in classes if one.weight > 0 or one.fixed_count > 0]
    rows = [
        {"name": one.__name__, "host": str(one.host or ""), "needs_host": issubclass(one, _NEED_A_HOST)}
        for one in spawned
    ]
    length_s, most_users = _rehearse(shape) if shape is not None else (None, 0)
    return {
        "users": rows,
        "host": options.host or "",
        "has_shape": shape is not None,
        "shape_s": length_s,
        "shape_users": most_users,
    }


def _rehearse(shape: Any) -> tuple[float | None, int]:
    """How long a shape lasts and its most users, by asking it about each second with its clock set forward.

    A shape that looks at the running load, or at nothing at all, cannot be asked: its length is then None.
    """
    most_users, until_s = 0, time.monotonic() + _REHEARSAL_S
    try:
        for second in range(_LONGEST_SHAPE_S):
            shape.start_time = time.perf_counter() - second
            tick = shape.tick()
            if tick is None:
                return float(second), most_users
            most_users = max(most_users, math.ceil(tick[0]))
            if time.monotonic() > until_s:
                break
    except Exception:  # whatever it needs is not there yet; the run will show
        return None, most_users
    return None, most_users


def main() -> None:
    """Answer the question of the environment."""
    question = json.loads(os.environ.pop(INSPECTION_KEY))
    answer = Path(question["answer"])
    partial = answer.with_suffix(".part")
    partial.write_text(json.dumps(inspect(question["path"], question["allowed_targets"])), encoding="utf-8")
    partial.replace(answer)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads and greenlets that the file started at import have nothing more to do
