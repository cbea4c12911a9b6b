"""A saga as a definition for Step Functions, in the Amazon States Language. Pure.

Each step is a task that puts a job with a token on the SQS queue of the servers, and waits until one of them answers
with that token.
"""

from __future__ import annotations

import math
from typing import Any

from dbz.server.sagas.definition import SagaDefinition, SagaStep

JOB_KIND = "saga.step"
FAILED, REFUSED = "Failed", "Refused"
QUEUE_PLACEHOLDER = "${QueueUrl}"
"""What CloudFormation and SAM put the URL for, by DefinitionSubstitutions."""
_DONE, _TAKEN_BACK = "Done", "TakenBack"
_UNDO_ATTEMPTS = 99


def state_machine(saga: SagaDefinition, queue_url: str = QUEUE_PLACEHOLDER) -> dict[str, Any]:
    """The definition of the state machine; its input is the data of the saga, {saga_id, club_id, …}."""
    states: dict[str, Any] = {}
    names = [step.name for step in saga.steps]
    for number, step in enumerate(saga.steps):
        following = names[number + 1] if number + 1 < len(names) else _DONE
        if step.repeats:
            states |= _repetition(step, following)
            following = more_of(step)
        states[step.name] = _step(saga, number, following, queue_url)
    for number, step in enumerate(saga.steps):
        if step.undo:
            before = saga.undoing_from(number - 1) if number else []
            states[step.undo] = _undo(saga, step, before[0].undo if before else _TAKEN_BACK, queue_url)
    states[_DONE] = {"Type": "Succeed"}
    states[_TAKEN_BACK] = {
        "Type": "Fail",
        "Error": "TakenBack",
        "Cause": f"a step of {saga.name} failed; what was done before is taken back",
    }
    return {"Comment": saga.comment, "StartAt": names[0], "States": states}


def _step(saga: SagaDefinition, number: int, following: str, queue_url: str) -> dict[str, Any]:
    step = saga.steps[number]
    undoing = saga.undoing_from(number)
    otherwise = following if step.may_fail else undoing[0].undo if undoing else _TAKEN_BACK
    return {
        **_task(saga, step.name, step.timeout_s, queue_url),
        "Retry": [_retry(step, step.retry.max_attempts - 1)],
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": f"$.{step.name}", "Next": otherwise}],
        "ResultPath": f"$.{step.name}",
        "Next": following,
    }


def more_of(step: SagaStep) -> str:
    """The name of the state that looks whether a step which repeats has more to do."""
    return f"more_{step.name}"


def _repetition(step: SagaStep, following: str) -> dict[str, Any]:
    pause = f"pause_{step.name}"
    waits = {"Variable": f"$.{step.name}.wait_s", "NumericGreaterThan": 0, "Next": pause}
    more = {"Variable": f"$.{step.name}.more", "BooleanEquals": True, "Next": step.name}
    return {
        more_of(step): {"Type": "Choice", "Choices": [waits, more], "Default": following},
        pause: {"Type": "Wait", "SecondsPath": f"$.{step.name}.wait_s", "Next": step.name},
    }


def _undo(saga: SagaDefinition, step: SagaStep, following: str, queue_url: str) -> dict[str, Any]:
    return {
        **_task(saga, step.undo, step.timeout_s, queue_url),
        "Retry": [_retry(step, _UNDO_ATTEMPTS)],
        "ResultPath": None,
        "Next": following,
    }


def _task(saga: SagaDefinition, action: str, timeout_s: float, queue_url: str) -> dict[str, Any]:
    job = {"kind": JOB_KIND, "saga": saga.name, "action": action, "input.$": "$", "token.$": "$$.Task.Token"}
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": queue_url, "MessageBody": job},
        "TimeoutSeconds": math.ceil(timeout_s),
    }


def _retry(step: SagaStep, times: int) -> dict[str, Any]:
    """Whole seconds, as Step Functions has no shorter pauses, the longest longer than the first."""
    first_s = math.ceil(step.retry.first_s)
    return {
        "ErrorEquals": [FAILED, "States.Timeout"],
        "IntervalSeconds": first_s,
        "BackoffRate": step.retry.rate,
        "MaxDelaySeconds": max(first_s + 1, math.ceil(step.retry.longest_s)),
        "MaxAttempts": times,
    }
