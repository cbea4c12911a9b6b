"""Lists that AWS gives in pages, and moto all at once or wrongly: in pages here too."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.cloudwatch.responses import CloudWatchResponse
from moto.ecs.responses import EC2ContainerServiceResponse

_SERVICES, _ALARMS, _TARGETS = 10, 50, 50
"""Items of a page when the caller does not say how many."""
_TOKEN = "after-"


def install() -> None:
    """Replace the lists; to be called once in a process."""
    _page(EC2ContainerServiceResponse, "list_services", "serviceArns", ("maxResults", "nextToken"), _SERVICES)
    _page(CloudWatchResponse, "describe_alarms", "MetricAlarms", ("MaxRecords", "NextToken"), _ALARMS)
    _page_targets()


def _page(owner: Any, name: str, key: str, words: tuple[str, str], size: int) -> None:
    original: Callable[[Any], Any] = getattr(owner, name)

    def paged(response: Any) -> Any:
        answer = original(response)
        some, token = _cut(answer.result[key], response, words, size)
        answer.result[key] = some
        if token:
            answer.result[words[1]] = token
        return answer

    setattr(owner, name, paged)


def _page_targets() -> None:
    """moto's own pages repeat the second one for ever: its answer is asked for without a token, and cut here."""
    original = ApplicationAutoScalingResponse.describe_scalable_targets

    def paged(response: Any) -> str:
        asked = response._get_param

        def without_token(name: str, *rest: Any, **more: Any) -> Any:
            return {"NextToken": None, "MaxResults": 10_000}.get(name) if name in words else asked(name, *rest, **more)

        words = ("MaxResults", "NextToken")
        response._get_param = without_token
        try:
            targets = json.loads(original(response))["ScalableTargets"]
        finally:
            response._get_param = asked
        some, token = _cut(targets, response, words, _TARGETS)
        return json.dumps({"ScalableTargets": some, "NextToken": token})

    ApplicationAutoScalingResponse.describe_scalable_targets = paged  # type: ignore[assignment,method-assign]


def _cut(items: list[Any], response: Any, words: tuple[str, str], size: int) -> tuple[list[Any], str | None]:
    """The page that is asked for, and the token of the next one."""
    most, token = response._get_int_param(words[0]) or size, response._get_param(words[1])
    begin = int(str(token).removeprefix(_TOKEN)) if token else 0
    more = len(items) > begin + most
    return items[begin : begin + most], f"{_TOKEN}{begin + most}" if more else None
