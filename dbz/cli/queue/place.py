"""Which queue a command works on: Redis Streams, or SQS when the URL of a queue is given."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from dbz.cli.cache.stores import NO_REDIS, RedisUrl, stores
from dbz.cli.interrupts import run_interruptibly
from dbz.errors import UsageError
from dbz.hosts import is_web_url
from dbz.masking import masked_url

if TYPE_CHECKING:
    from dbz.server.events.admin import QueueAdmin

Answer = TypeVar("Answer")


@dataclasses.dataclass(frozen=True)
class QueuePlace:
    """Where the queue is."""

    redis_url: RedisUrl = ""
    queue_url: Annotated[str, typer.Option(metavar="URL", help="An SQS queue instead; else QUEUE_URL.")] = ""
    dead_letter_url: Annotated[
        str, typer.Option(metavar="URL", help="Its queue of dead letters; else DEAD_LETTER_QUEUE_URL.")
    ] = ""


def ask_queue(place: QueuePlace, question: Callable[[QueueAdmin], Coroutine[None, None, Answer]]) -> Answer:
    """What the queue answers; `UsageError` for a queue that nobody named, `DependencyError` for one that is away."""
    queue_url = place.queue_url or ("" if place.redis_url else os.environ.get("QUEUE_URL", ""))
    dead_url = place.dead_letter_url or (os.environ.get("DEAD_LETTER_QUEUE_URL", "") if queue_url else "")
    for option, url in (("--queue-url", queue_url), ("--dead-letter-url", dead_url)):
        if url and not is_web_url(url):
            raise UsageError(
                f"{option}: '{masked_url(url)}' is not the URL of a queue", hint="it begins with https://", code="E002"
            )
    if queue_url:
        if place.redis_url:
            raise UsageError("--redis-url and --queue-url name two queues; leave one out", code="E003")
        return run_interruptibly(_asked_sqs(queue_url, dead_url, question))
    if dead_url:
        raise UsageError(
            "--dead-letter-url belongs to an SQS queue", hint="add --queue-url, or set QUEUE_URL", code="E003"
        )
    with stores(place.redis_url, what="dbz queue", remedy=NO_REDIS) as where:
        return run_interruptibly(_asked_redis(where.redis_url, question))


async def _asked_redis(url: str, question: Callable[[QueueAdmin], Coroutine[None, None, Answer]]) -> Answer:
    from dbz.cache.admin.connect import connected_redis
    from dbz.cache.problems import reported
    from dbz.server.events.admin import StreamAdmin

    async with connected_redis(url) as redis:
        with reported():
            return await question(StreamAdmin(redis))


async def _asked_sqs(
    queue_url: str, dead_url: str, question: Callable[[QueueAdmin], Coroutine[None, None, Answer]]
) -> Answer:
    async with _sqs(queue_url, dead_url) as admin:
        return await question(admin)


@asynccontextmanager
async def _sqs(queue_url: str, dead_url: str) -> AsyncIterator[QueueAdmin]:
    from dbz.errors import DependencyError
    from dbz.extras import AWS_CLIENT, need
    from dbz.server.events.sqs_admin import SqsAdmin
    from dbz.server.settings import QueueSettings

    need("a queue on SQS", AWS_CLIENT, "aws")
    from dbz.scaling.aws import check_endpoint

    check_endpoint()
    try:
        yield SqsAdmin(QueueSettings(sqs_queue_url=queue_url, sqs_dead_letter_url=dead_url))
    except ConnectionError as error:
        hint = "are AWS_REGION, the credentials and the URL right? a local cloud needs AWS_ENDPOINT_URL"
        raise DependencyError(str(error), hint=hint, code="C009") from None
