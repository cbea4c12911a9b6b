"""Notifications over SQS, against an SQS server on this machine."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from dbz.children import Child, free_port, wait_until
from tests.server.backend import Backend, listens, start_server
from tests.server.clients import User, eventually, login

boto3 = pytest.importorskip("boto3")
pytest.importorskip("moto.server")
pytestmark = pytest.mark.anyio

AWS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "eu-west-1"}


@dataclass
class Cloud:
    """The queue, its dead-letter queue and the server that uses them."""

    where: Backend
    client: Any
    queue: str
    dead: str


@pytest.fixture(scope="module")
def cloud(folder: Path, stores: tuple[str, str]) -> Iterator[Cloud]:
    """A server whose notifications go through SQS."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    with Child("sqs", [sys.executable, "-m", "moto.server", "-p", str(port)], log=folder / "sqs.log") as sqs:
        wait_until(lambda: listens(port), sqs, deadline_s=40, what="the SQS server")
        client = boto3.client(
            "sqs", endpoint_url=endpoint, region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
        )
        queue, dead = (client.create_queue(QueueName=name)["QueueUrl"] for name in ("jobs", "dead"))
        before = dict(os.environ)
        os.environ.update({**AWS, "AWS_ENDPOINT_URL": endpoint})
        os.environ.update({"QUEUE_URL": queue, "DEAD_LETTER_QUEUE_URL": dead})
        try:
            child, where = start_server(folder, *stores)
        finally:
            os.environ.clear()
            os.environ.update(before)
        with child:
            yield Cloud(where, client, queue, dead)
        client.close()


async def signed_in(cloud: Cloud, stack: AsyncExitStack, user_id: str) -> User:
    """A user of this server."""
    http = await stack.enter_async_context(httpx.AsyncClient(base_url=cloud.where.url, timeout=60))
    tokens = await login(http, user_id)
    http.headers["authorization"] = f"Bearer {tokens['access_token']}"
    return User(http, user_id, tokens, stack)


async def test_notifications_go_through_sqs(cloud: Cloud) -> None:
    """Delivered, and gone from the queue; a job that keeps failing ends in the dead-letter queue."""
    async with AsyncExitStack() as stack:
        sender, receiver = await signed_in(cloud, stack, "user0170"), await signed_in(cloud, stack, "user0171")
        socket = await receiver.socket()
        answer = await sender.post("/api/notifications", {"user_id": receiver.id, "type": "t", "title": "by SQS"})
        assert answer.status_code == 202
        (event,) = await socket.until("notification:new")
        assert (event["id"], event["title"]) == (answer.json()["id"], "by SQS")
        cloud.client.send_message(QueueUrl=cloud.queue, MessageBody="not json")

        async def buried() -> Any:
            letters = await asyncio.to_thread(cloud.client.receive_message, QueueUrl=cloud.dead)
            return letters.get("Messages")

        (letter,) = await eventually(buried, within_s=40)
        assert '"kind":"unreadable"' in letter["Body"] and "KeyError" in letter["Body"]
