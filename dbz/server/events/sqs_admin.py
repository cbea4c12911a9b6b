"""`QueueAdmin` over Amazon SQS."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from dbz.errors import UsageError
from dbz.server.events.admin import DeadLetter, QueueStatus
from dbz.server.events.queue import decoded
from dbz.server.events.sqs import SqsQueue
from dbz.server.settings import QueueSettings

_COUNTS = {
    "waiting": "ApproximateNumberOfMessages",
    "scheduled": "ApproximateNumberOfMessagesDelayed",
    "under_way": "ApproximateNumberOfMessagesNotVisible",
}
_HIDDEN_S = 20  # while letters are read; a reader that is killed leaves them hidden for so long
_MOST = 10_000


class SqsAdmin:
    """SQS gives letters only to those who take them: they are taken, read and put back."""

    def __init__(self, settings: QueueSettings) -> None:
        self._queue = SqsQueue(settings)
        self._dead_url = settings.sqs_dead_letter_url

    async def status(self, most_letters: int) -> QueueStatus:
        """See `QueueAdmin`. How old jobs are SQS tells to CloudWatch only, and who takes them nobody."""
        counts = await self._counts("")
        if not self._dead_url:
            return _status(counts)
        dead = sum((await self._counts(self._dead_url)).values())
        letters = await self._read(most_letters) if most_letters else []
        return _status(counts, dead, letters)

    async def letters(self) -> list[DeadLetter]:
        """See `QueueAdmin`."""
        return await self._read(_MOST)

    async def again(self, letters: Sequence[DeadLetter]) -> list[str]:
        """See `QueueAdmin`. A crash between the two requests hands a job in twice, which its consumers bear."""
        wanted, done = {letter.id for letter in letters}, []
        for message, letter in await self._take(_MOST):
            if letter.id in wanted:
                job = {key: value for key, value in letter.job.items() if key != "attempts"}
                await self._queue.put(job)
                await self._delete(message)
                done.append(letter.id)
            else:
                await self._put_back(message)
        return done

    async def drop(self, letters: Sequence[DeadLetter]) -> list[str]:
        """See `QueueAdmin`."""
        wanted, done = {letter.id for letter in letters}, []
        for message, letter in await self._take(_MOST):
            if letter.id in wanted:
                await self._delete(message)
                done.append(letter.id)
            else:
                await self._put_back(message)
        return done

    async def _read(self, most: int) -> list[DeadLetter]:
        taken = await self._take(most)
        for message, _ in taken:
            await self._put_back(message)
        return sorted((letter for _, letter in taken), key=lambda letter: letter.age_s or 0.0)

    async def _take(self, most: int) -> list[tuple[dict[str, Any], DeadLetter]]:
        if not self._dead_url:
            raise UsageError(
                "which dead letters? no URL of a dead-letter queue is given", hint="add --dead-letter-url", code="E004"
            )
        taken: dict[str, tuple[dict[str, Any], DeadLetter]] = {}
        while len(taken) < most:
            answer = await self._queue.call(
                "receive_message",
                url=self._dead_url,
                MaxNumberOfMessages=min(10, most - len(taken)),
                VisibilityTimeout=_HIDDEN_S,
                AttributeNames=["SentTimestamp"],
            )
            messages = [each for each in answer.get("Messages", ()) if each["MessageId"] not in taken]
            if not messages:
                break
            taken |= {message["MessageId"]: (message, _letter(message)) for message in messages}
        return list(taken.values())

    async def _counts(self, url: str) -> dict[str, int]:
        answer = await self._queue.call("get_queue_attributes", url=url, AttributeNames=list(_COUNTS.values()))
        return {name: int(answer["Attributes"].get(attribute, 0)) for name, attribute in _COUNTS.items()}

    async def _put_back(self, message: dict[str, Any]) -> None:
        receipt = message["ReceiptHandle"]
        await self._queue.call(
            "change_message_visibility", url=self._dead_url, ReceiptHandle=receipt, VisibilityTimeout=0
        )

    async def _delete(self, message: dict[str, Any]) -> None:
        await self._queue.call("delete_message", url=self._dead_url, ReceiptHandle=message["ReceiptHandle"])


def _status(counts: dict[str, int], dead: int = 0, letters: Sequence[DeadLetter] = ()) -> QueueStatus:
    lengths = counts["waiting"], counts["scheduled"], counts["under_way"]
    return QueueStatus("SQS", *lengths, oldest_s=None, dead=dead, letters=list(letters))


def _letter(message: dict[str, Any]) -> DeadLetter:
    body = decoded(message["Body"])
    job = body["job"] if isinstance(body.get("job"), dict) else body
    sent_ms = float(message.get("Attributes", {}).get("SentTimestamp", 0.0))
    age_s = max(0.0, time.time() - sent_ms / 1000) if sent_ms else None
    return DeadLetter(message["MessageId"], job, str(body.get("reason", "")), age_s)
