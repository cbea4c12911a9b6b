"""A drill: a message that is really sent, so that the first real one is not the first one."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence

import httpx

from dbz.config.monitor.file import MonitorFile
from dbz.monitor.sending.channels import DEADLINE_S, SendOutcome, way_of
from dbz.monitor.store.store import Notice, OutboxRow


async def try_channels(config: MonitorFile, names: Sequence[str]) -> dict[str, SendOutcome]:
    """Send one message marked TEST to each of these channels; what each answered."""
    now_s = time.time()
    notice = Notice("TEST", "dbz", "info", "test", "TEST: this is a drill of dbz monitor, nothing is wrong")
    async with httpx.AsyncClient(timeout=DEADLINE_S) as client:
        answers = await asyncio.gather(
            *(
                way_of(config.channels[name], client).deliver(
                    [OutboxRow(f"drill-{secrets.token_hex(8)}-{name}", name, notice, now_s, now_s)]
                )
                for name in names
            )
        )
    return dict(zip(names, answers, strict=True))
