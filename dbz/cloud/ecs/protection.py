"""Task scale-in protection: tasks that say themselves, or are told, that they are not to be stopped for a while."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.ecs.exceptions import InvalidParameterException
from moto.ecs.responses import EC2ContainerServiceResponse

DEFAULT_MIN, LONGEST_MIN = 120, 2880
MOST_TASKS = 10


def install() -> None:
    """Answer UpdateTaskProtection and GetTaskProtection; to be called once in a process."""
    EC2ContainerServiceResponse.update_task_protection = _update  # type: ignore[attr-defined]
    EC2ContainerServiceResponse.get_task_protection = _get  # type: ignore[attr-defined]


def is_protected(listed: Any) -> bool:
    """Whether a task, as the API lists it, may not be stopped now."""
    return bool(getattr(listed, "protected_until_s", 0.0) > time.time())


def _tasks(response: Any, names: Iterable[str] | None) -> list[Any]:
    cluster = str(response._get_param("cluster") or "default").rsplit("/", 1)[-1]
    known = response.ecs_backend.tasks.get(cluster, {})
    if names is None:
        return list(known.values())
    wanted = [name.rsplit("/", 1)[-1] for name in names]
    return [task for task in known.values() if task.id in wanted]


def _update(response: Any) -> Any:
    names = response._get_param("tasks") or []
    minutes = int(response._get_param("expiresInMinutes") or DEFAULT_MIN)
    if not 0 < len(names) <= MOST_TASKS:
        raise InvalidParameterException(f"Tasks must be 1 to {MOST_TASKS} elements")
    if not 1 <= minutes <= LONGEST_MIN:
        raise InvalidParameterException(f"expiresInMinutes must be 1 to {LONGEST_MIN}")
    found = _tasks(response, names)
    on = bool(response._get_param("protectionEnabled"))
    for task in found:
        task.protected_until_s = time.time() + minutes * 60 if on else 0.0
    missing = len(names) - len(found)
    failures = [{"arn": name, "reason": "TASK_NOT_VALID"} for name in names][:missing] if missing else []
    return ActionResult({"protectedTasks": [_shown(one) for one in found], "failures": failures})


def _get(response: Any) -> Any:
    found = _tasks(response, response._get_param("tasks"))
    return ActionResult({"protectedTasks": [_shown(one) for one in found], "failures": []})


def _shown(task: Any) -> dict[str, Any]:
    shown = {"taskArn": task.task_arn, "protectionEnabled": is_protected(task)}
    if is_protected(task):
        shown["expirationDate"] = datetime.fromtimestamp(task.protected_until_s, UTC)
    return shown
