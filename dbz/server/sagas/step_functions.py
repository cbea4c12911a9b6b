"""Steps of sagas that Step Functions keeps: a job with a token comes from the queue, its outcome goes back with it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Protocol

import orjson
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from dbz.server.events.queue import Job
from dbz.server.sagas.asl import FAILED, REFUSED
from dbz.server.sagas.definition import SagaData, StepRefusedError

_log = logging.getLogger(__name__)
_TOO_LATE = ("TaskTimedOut", "TaskDoesNotExist", "InvalidToken")


class StepPerformer(Protocol):
    """Carries out a step in this process, or has the service do it that the step belongs to."""

    async def perform(self, saga: str, action: str, data: SagaData) -> SagaData:
        """What the step answers; `StepRefusedError`, or an error of the stores when it is to be tried later."""


class StepFunctionsTasks:
    """Carries out the tasks that `dbz.server.sagas.asl` describes: {saga, action, input, token}."""

    def __init__(self, runner: StepPerformer) -> None:
        self._runner = runner
        self._client: Any = None

    async def perform(self, job: Job) -> None:
        """Carry one out. A store that is away leaves it on the queue; Step Functions tries again what fails."""
        token, saga, action, data = job["token"], job["saga"], job["action"], job["input"]
        try:
            answer = await self._runner.perform(saga, action, data)
        except StepRefusedError as error:
            await self._say("send_task_failure", taskToken=token, error=REFUSED, cause=str(error))
        except (PyMongoError, RedisError, OSError):
            raise
        except Exception as error:
            cause = f"{type(error).__name__}: {error}"[:500]
            await self._say("send_task_failure", taskToken=token, error=FAILED, cause=cause)
        else:
            await self._say("send_task_success", taskToken=token, output=orjson.dumps(answer).decode())

    async def _say(self, operation: str, **arguments: str) -> None:
        import boto3  # type: ignore[import-not-found,import-untyped,unused-ignore]
        from botocore.exceptions import (  # type: ignore[import-not-found,import-untyped,unused-ignore]
            BotoCoreError,
            ClientError,
        )

        if self._client is None:
            self._client = await asyncio.to_thread(boto3.client, "stepfunctions")
        try:
            await asyncio.to_thread(getattr(self._client, operation), **arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _TOO_LATE:
                raise ConnectionError(f"Step Functions {operation}: {error}") from error
            _log.warning("a step was done too late: %s", error)
        except BotoCoreError as error:
            raise ConnectionError(f"Step Functions {operation}: {error}") from error
