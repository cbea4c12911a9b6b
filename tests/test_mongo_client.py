"""Clients of a document store: options that do not exist are refused, and a wait that is cancelled breaks nothing."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pymongo.lock
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymongo.errors import ConfigurationError, OperationFailure

from dbz.mongo_client import async_client, blocking_client, driver_text


async def wait_a_while(condition: pymongo.lock.Condition, time_limit_s: float) -> None:
    async with condition:
        await pymongo.lock._async_cond_wait(condition, time_limit_s)


async def hold(condition: pymongo.lock.Condition, until_s: float) -> None:
    async with condition:
        await asyncio.sleep(until_s)


def test_a_wait_is_cancelled_while_it_takes_its_lock_back() -> None:
    asyncio.run(_cancelled_while_it_takes_its_lock_back())


async def _cancelled_while_it_takes_its_lock_back() -> None:
    condition = pymongo.lock._async_create_condition(pymongo.lock._async_create_lock())
    waiter = asyncio.create_task(wait_a_while(condition, 0.01))
    await asyncio.sleep(0.005)
    holder = asyncio.create_task(hold(condition, 0.05))
    await asyncio.sleep(0.02)  # its time is over, and it waits for the lock
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    await holder
    await asyncio.sleep(0)
    assert not condition.locked()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_whoever_is_cancelled_when_the_lock_is_free_in_the_end(seed: int) -> None:
    asyncio.run(_crowd(random.Random(seed)))


async def _crowd(numbers: random.Random) -> None:
    condition = pymongo.lock._async_create_condition(pymongo.lock._async_create_lock())
    crowd = [asyncio.create_task(wait_a_while(condition, numbers.uniform(0, 0.01))) for _ in range(20)]
    crowd += [asyncio.create_task(hold(condition, numbers.uniform(0, 0.002))) for _ in range(10)]
    for task in numbers.sample(crowd, 15):
        await asyncio.sleep(numbers.uniform(0, 0.002))
        task.cancel()
    ended, waiting = await asyncio.wait(crowd, timeout=5)
    assert not waiting
    assert not [task for task in ended if not task.cancelled() and task.exception()]
    assert not condition.locked()


@pytest.mark.parametrize("client", [blocking_client, async_client])
@pytest.mark.parametrize(
    "option", ["fooBar=1", "readPreference=odd", "timeoutMS=soon", "w=1&w=2", "maxPoolSize=many", "tls=maybe"]
)
def test_an_option_that_the_driver_would_leave_out_is_an_error(client: Any, option: str) -> None:
    with pytest.raises((ConfigurationError, ValueError)):
        client(f"mongodb://127.0.0.1:1/?{option}", connect=False)


def test_what_the_driver_says_has_neither_topology_nor_password() -> None:
    full = OperationFailure("authentication failed", 18, {"ok": 0, "errmsg": "authentication failed"})
    assert driver_text(full) == "authentication failed"
    assert driver_text(ValueError("no mongodb://u:geheim@h/")) == "no mongodb://***@h/"
    assert driver_text(TimeoutError()) == "TimeoutError"
