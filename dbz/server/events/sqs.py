"""`Queue` over Amazon SQS; the only module of the server that imports boto3, and only when a queue URL is set."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import orjson

from dbz.errors import DependencyError
from dbz.server.events.queue import Job, Taken, decoded
from dbz.server.settings import QueueSettings

_MAX_DELAY_S = 900  # SQS allows no more; a later job is handed back until it is due
_WAIT_S = 1
_BATCH = 10


class SqsQueue:
    """Messages are JSON jobs. What is taken and not finished comes back after `claim_after_s` by SQS's own timeout."""

    def __init__(self, settings: QueueSettings) -> None:
        try:
            import boto3  # type: ignore[import-not-found,import-untyped,unused-ignore]
            from botocore.exceptions import BotoCoreError  # type: ignore[import-not-found,import-untyped,unused-ignore]
        except ImportError:
            raise DependencyError("boto3 is not installed, and queue.sqs_queue_url asks for it", code="E014") from None
        self._settings = settings
        try:
            self._client: Any = boto3.client("sqs")
        except (BotoCoreError, ValueError) as error:  # no region, or a setting that AWS's client does not take
            raise DependencyError(
                f"SQS cannot be asked: {error}", hint="set AWS_REGION and the credentials", code="C009"
            ) from None

    async def put(self, job: Job, delay_s: float = 0.0) -> None:
        """See `Queue`."""
        delay = min(_MAX_DELAY_S, max(0, math.ceil(delay_s)))
        await self.call("send_message", MessageBody=orjson.dumps(job).decode(), DelaySeconds=delay)

    async def take(self) -> list[Taken]:
        """See `Queue`."""
        visible_s = max(1, round(self._settings.claim_after_s))
        answer = await self.call(
            "receive_message", MaxNumberOfMessages=_BATCH, WaitTimeSeconds=_WAIT_S, VisibilityTimeout=visible_s
        )
        return [Taken(message["ReceiptHandle"], decoded(message["Body"])) for message in answer.get("Messages", ())]

    async def finish(self, taken: Taken) -> None:
        """See `Queue`."""
        await self.call("delete_message", ReceiptHandle=taken.receipt)

    async def retry(self, taken: Taken, job: Job, delay_s: float) -> None:
        """See `Queue`."""
        await self.put(job, delay_s)
        await self.finish(taken)

    async def bury(self, taken: Taken, reason: str) -> None:
        """See `Queue`."""
        if self._settings.sqs_dead_letter_url:
            body = orjson.dumps({"job": taken.job, "reason": reason[:1000]}).decode()
            await self.call("send_message", url=self._settings.sqs_dead_letter_url, MessageBody=body)
        await self.finish(taken)

    async def call(self, operation: str, *, url: str = "", **arguments: Any) -> dict[str, Any]:
        """One request to SQS about the queue, or the one at `url`; `ConnectionError` when it fails."""
        from botocore.exceptions import (  # type: ignore[import-not-found,import-untyped,unused-ignore]
            BotoCoreError,
            ClientError,
        )

        call = getattr(self._client, operation)
        try:
            answer = await asyncio.to_thread(call, QueueUrl=url or self._settings.sqs_queue_url, **arguments)
        except (BotoCoreError, ClientError) as error:
            # The callers know one kind of failure of a queue: that of a connection.
            raise ConnectionError(f"SQS {operation}: {error}") from error
        return dict(answer or {})
