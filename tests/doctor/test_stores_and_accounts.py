"""What `dbz doctor` finds of stores, shards and accounts that answer: also where they answer what is not good."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from dbz.children import free_port
from dbz.config.shards import Shards
from dbz.doctor.account import look_at_account
from dbz.doctor.findings import Diagnosis, Fitness
from dbz.doctor.stores import look_at_redis, look_at_shards, look_at_store
from dbz.doctor.target import clock_of
from dbz.scaling.aws import Aws
from tests.cache.conftest import RedisServer, redis_server
from tests.cloud.clouds import KEYS, REGION, RunningCloud

__all__ = ["redis_server"]


def at_redis(url: str, *commands: tuple[str, ...]) -> dict[str, Diagnosis]:
    """What is found of a server once it was told this."""

    async def look() -> dict[str, Diagnosis]:
        redis = Redis.from_url(url)
        for command in commands:
            await redis.execute_command(*command)
        await redis.aclose()
        findings: AsyncIterator[Diagnosis] = look_at_redis(url)
        return {finding.name: finding async for finding in findings}

    return asyncio.run(look())


def test_a_redis_that_is_nearly_full_is_poor(redis_server: RedisServer) -> None:
    full = at_redis(redis_server.url, ("CONFIG", "SET", "maxmemory", "1mb"))["reached"]
    roomy = at_redis(redis_server.url, ("CONFIG", "SET", "maxmemory", "1gb"))["reached"]
    endless = at_redis(redis_server.url, ("CONFIG", "SET", "maxmemory", "0"))["reached"]
    assert full.health is Fitness.POOR and "nearly full" in full.cure
    assert roomy.health is endless.health is Fitness.GOOD
    assert "1 node" in roomy.text and " of " in roomy.text and "without a limit" in endless.text


def test_a_user_of_redis_that_may_not_ask_what_it_may_is_told_so(redis_server: RedisServer) -> None:
    at_redis(redis_server.url, ("ACL", "SETUSER", "mute", "on", ">pw", "~*", "&*", "+@all", "-acl"))
    mute = at_redis(redis_server.url.replace("redis://", "redis://mute:pw@"))
    assert mute["rights"].health is Fitness.GOOD and "may not ask" in mute["rights"].text


def test_a_database_without_collections_is_perhaps_another_one(shard_uris: list[str]) -> None:
    (finding,) = look_at_store(shard_uris[0], "nothing_is_here")
    assert finding.health is Fitness.POOR and "0 collections in 'nothing_is_here'" in finding.text
    assert "--database" in finding.cure


def test_of_several_shards_the_one_that_is_away_is_named(
    shard_uris: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONE_URI", shard_uris[0])
    monkeypatch.setenv("TWO_URI", f"mongodb://u:topsecret@127.0.0.1:{free_port()}/?serverSelectionTimeoutMS=300")
    shards = {"one": "ONE_URI", "two": "TWO_URI"}
    file = Shards.model_validate({"schema": "dbz.shards/1", "shards": shards, "collections": {"posts": "club_id"}})
    one, two = look_at_shards(file)
    assert (one.name, one.health) == ("one", Fitness.GOOD) and one.text.startswith("answers, ")
    assert (two.name, two.health) == ("two", Fitness.BAD) and "topsecret" not in str(two)
    monkeypatch.delenv("TWO_URI")
    one, two = look_at_shards(file)
    assert (one.health, two.health) == (Fitness.GOOD, Fitness.BAD) and "TWO_URI is not set" in two.text


def test_an_account_says_who_asks_and_that_it_may_be_read(cloud: RunningCloud) -> None:
    aws = Aws(region=REGION, endpoint=cloud.url, credentials=KEYS, attempts=1)
    identity, rights = look_at_account(aws.call, lambda: aws.where)
    assert (identity.health, rights.health) == (Fitness.GOOD, Fitness.GOOD)
    assert "arn:aws:" in identity.text and REGION in identity.text
    cloud.control(faults=[{"action": "DescribeAlarms", "kind": "refuse", "times": 1}])
    findings = list(look_at_account(aws.call, lambda: aws.where))
    assert [(one.name, one.health) for one in findings[1:]] == [("describe alarms", Fitness.BAD)]
    assert "cloudwatch:DescribeAlarms" in findings[1].text


def test_a_date_that_is_none_says_nothing_of_a_clock() -> None:
    finding = clock_of("yesterday, about noon", time.time())
    assert finding.health is Fitness.POOR and "'yesterday, about noon'" in finding.text


@pytest.mark.parametrize(("files", "health"), [(1000, "BAD"), (4000, "POOR")])
def test_few_open_files_are_named_with_the_limit_to_raise(files: int, health: str) -> None:
    look = (
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({files}, {files}))\n"
        "from pathlib import Path; from dbz.doctor.machine import look_at_machine\n"
        "(one,) = [one for one in look_at_machine(Path('.')) if one.name == 'open files']\n"
        "print(one.health.name, one.text, one.cure)\n"
    )
    said = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout
    assert said.startswith(f"{health} {files:,}, enough for about {files // 5} phones")
    assert f"now {files:,}" in said and "LimitNOFILE" in said
