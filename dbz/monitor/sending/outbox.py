"""Bringing what is in the outbox to its channels: each notice at least once, in order, and politely."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence

from dbz.monitor.sending.channels import SendOutcome, Way
from dbz.monitor.store.store import MonitorStore, OutboxRow

DIGEST_FROM = 6
"""So many messages that wait for one channel become one."""
_FIRST_WAIT_S = 5.0
_LONGEST_WAIT_S = 600.0
_GONE = "no such channel in the file any more"


async def deliver_due(store: MonitorStore, ways: Mapping[str, Way], now_s: float) -> int:
    """Try every message that is due, channels side by side; how many were taken.

    A message that fails keeps those after it of the same channel waiting: what is over is not told before it began.
    """
    by_channel: defaultdict[str, list[OutboxRow]] = defaultdict(list)
    for row in store.due(now_s):
        by_channel[row.channel].append(row)
    taken = await asyncio.gather(
        *(_deliver(store, ways.get(channel), rows, now_s) for channel, rows in by_channel.items())
    )
    return sum(taken)


async def _deliver(store: MonitorStore, way: Way | None, rows: Sequence[OutboxRow], now_s: float) -> int:
    if way is None:
        store.note_failed([row.key for row in rows], now_s + _LONGEST_WAIT_S, _GONE)
        return 0
    taken = 0
    together = messages_of(rows)
    for number, some in enumerate(together):
        keys = [row.key for row in some]
        delivery = await way.deliver(some)
        if not delivery.taken:
            waiting = [row.key for later in together[number:] for row in later]
            store.note_failed(waiting, now_s + wait_s(delivery, some[0].tries), delivery.answer)
            break
        store.note_sent(keys, now_s, delivery.answer)
        taken += len(some)
    return taken


def messages_of(rows: Sequence[OutboxRow]) -> list[Sequence[OutboxRow]]:
    """Which notices of a channel, the oldest first, are one message: a group of a moment, or all when many wait."""
    by_group: dict[tuple[float, str], list[OutboxRow]] = {}
    for row in rows:
        by_group.setdefault((row.created_s, row.notice.group or row.key), []).append(row)
    return [rows] if len(by_group) >= DIGEST_FROM else list(by_group.values())


def wait_s(delivery: SendOutcome, tries: int) -> float:
    """How long to wait after a try that failed: what the channel asks for, or twice as long each time."""
    if delivery.again_after_s is not None:
        return max(delivery.again_after_s, 1.0)
    return min(_FIRST_WAIT_S * 2.0 ** min(tries, 20), _LONGEST_WAIT_S)
