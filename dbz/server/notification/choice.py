"""Which queue carries notifications."""

from __future__ import annotations

from redis.asyncio import Redis

from dbz.server.notification.queue import Queue, StreamQueue
from dbz.server.settings import Notifications


def open_queue(redis: Redis, settings: Notifications) -> Queue:
    """SQS when a queue URL is set, else Redis Streams."""
    if settings.sqs_queue_url:
        from dbz.server.notification.sqs import SqsQueue

        return SqsQueue(settings)
    return StreamQueue(redis, settings)
