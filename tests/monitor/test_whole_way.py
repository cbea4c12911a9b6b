"""The whole way: a server becomes slow, an alert reaches Slack and a mail box, and members' messages are probed."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from aiosmtpd.controller import Controller

from dbz.children import free_port
from dbz.cli.monitor.given import given_sources
from dbz.config.monitor.file import load_monitor
from dbz.monitor.store.store import MonitorStore
from dbz.monitor.watch import Monitor, Said
from dbz.stack import StackOptions, start_stack
from dbz.stack.state import describe
from tests.children.processes import runs
from tests.monitor.service import Receiver, running

pytestmark = pytest.mark.anyio
CONFIG = """\
schema: dbz.monitor/1
interval: 1s
targets: [{name: club, url: "%(url)s"}]
redis: [{name: cache, url: "%(redis)s"}]
probes: [{name: chat, scenario: chat, every: 1s}]
alerts:
  - {type: SLOW_RESPONSE, when: response time > 500ms for 2 seconds, keep_firing_for: 1s, severity: critical,
     targets: [club]}
channels:
  slack: {slack: "%(slack)s"}
  mail: {mail: {host: 127.0.0.1, port: %(smtp)d, tls: none, from: dbz@example.org, to: [oncall@example.org]}}
routes: [{severity: [critical], to: [slack, mail]}]
"""


class Mailbox:
    """Takes mail."""

    def __init__(self) -> None:
        self.subjects: list[str] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.subjects.append(message_from_bytes(envelope.content)["Subject"])
        return "250 OK"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    options = StackOptions(clubs=1, warmup="none", faults=True)
    with tempfile.TemporaryDirectory(prefix="dbz-tests-") as logs, start_stack(options, Path(logs)) as stack:
        yield describe(stack)


async def logged_in(client: httpx.AsyncClient, user: str) -> dict[str, str]:
    answer = await client.post("/api/auth/login", json={"username": user, "password": "demo"})
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def until(true: Callable[[], object], within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.1)


async def test_only_admins_see_and_change_faults_and_they_do_what_they_say(server: Any) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        member, admin = await logged_in(client, "user0000"), await logged_in(client, "user0199")
        refused = await client.put("/api/admin/faults", headers=member, json={"slow_ms": 5})
        assert refused.status_code == 403
        assert (await client.put("/api/admin/faults", headers=admin, json={"error_rate": 2})).status_code == 422
        faults = {"error_rate": 1, "leak_mb_per_s": 500}
        assert (await client.put("/api/admin/faults", headers=admin, json=faults)).json()["error_rate"] == 1
        assert (await client.get("/api/me", headers=member)).status_code == 500
        assert (await client.get("/healthz")).status_code == 200
        await asyncio.sleep(0.3)
        assert (await client.get("/api/admin/faults", headers=admin)).status_code == 200
        leaked = (await client.get("/api/admin/faults", headers=admin)).json()["leaked_mb"]
        ended = (await client.put("/api/admin/faults", headers=admin, json={})).json()
        assert leaked > 20 and ended["leaked_mb"] == 0
        assert (await client.get("/api/me", headers=member)).status_code == 200


async def test_slow_answers_reach_slack_and_a_mail_box_once_and_are_over(server: Any, tmp_path: Path) -> None:
    mailbox, said = Mailbox(), list[Said]()
    smtp = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    smtp.start()
    try:
        with running(Receiver()) as receiver, MonitorStore(tmp_path / "m.db") as store:
            places = {"url": server.url, "redis": server.redis_url, "slack": receiver.url, "smtp": smtp.port}
            (tmp_path / "m.yaml").write_text(CONFIG % places)
            config = load_monitor(str(tmp_path / "m.yaml"))
            monitor = Monitor(config, store, said.append, given_sources(config, tmp_path / "probes"))
            watching = asyncio.create_task(monitor.run())
            await while_watched(server.url, said, mailbox)
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
    finally:
        smtp.stop()
    assert mailbox.subjects == ["[dbz] FIRING SLOW_RESPONSE club", "[dbz] RESOLVED SLOW_RESPONSE club"]
    texts = [body["text"] for body in receiver.taken]
    assert len(texts) == 2 and "SLOW_RESPONSE firing: response time of club is" in texts[0]
    assert not [child for child in psutil.Process().children(recursive=True) if runs(child, "dbz.load.generator")]
    assert not list((tmp_path / "probes").iterdir())


async def while_watched(url: str, said: list[Said], mailbox: Mailbox) -> None:
    """Members say something, then answers are slow for a while."""

    def figures_of(name: str) -> dict[str, Any]:
        rows = [one.reading.to_row() for one in said if one.target == name and one.reading]
        return rows[-1] if rows else {}

    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        admin = await logged_in(client, "user0199")

        async def ask() -> None:
            while True:
                await client.get("/api/me", headers=admin)
                await asyncio.sleep(0.1)

        asking = [asyncio.create_task(ask()) for _ in range(8)]
        await until(lambda: "p95 response time" in figures_of("club"))
        await client.put("/api/admin/faults", headers=admin, json={"slow_ms": 1500})
        await until(lambda: any("FIRING" in subject for subject in mailbox.subjects))
        await client.put("/api/admin/faults", headers=admin, json={})
        await until(lambda: any("RESOLVED" in subject for subject in mailbox.subjects))
        await until(lambda: {"message round trip", "lost messages"} <= figures_of("chat").keys())
        assert figures_of("chat")["lost messages"] == 0 and 0 < figures_of("chat")["message round trip"] < 60_000
        assert figures_of("cache")["requests"] > 0 and figures_of("club")["p95 response time"] > 0
        for one in asking:
            one.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
