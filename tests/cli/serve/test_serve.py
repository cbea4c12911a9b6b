"""`dbz serve` as a user sees it: what it prints, how it ends, and that nothing stays behind."""

import json
import os
import random
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.children.processes import DEADLINE_S, carrying, ended, eventually, gone
from tests.cli.running import DBZ, run_dbz
from tests.whole import some

SERVE = ["serve", "--clubs", "1"]


class Home:
    """A user's state and temporary folders for one test; everything started here carries its path."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.env = {**os.environ, "DBZ_STATE_DIR": str(self.state), "TMPDIR": str(self.temporary), "NO_COLOR": "1"}

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """`dbz serve` that is expected to end by itself."""
        return run_dbz([*SERVE, *arguments], self.temporary, {**self.env, **env})

    @contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """`dbz serve`, asked to end at the latest when the test does."""
        command = [*DBZ, *SERVE, *arguments]
        pipe = subprocess.PIPE
        with ended(subprocess.Popen(command, env=self.env, stdout=pipe, stderr=pipe, text=True)) as process:
            try:
                yield process
            finally:
                process.terminate()

    @contextmanager
    def serving(self, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, object]]]:
        """A ready `dbz serve --port 0 --json` and the document that it printed."""
        with self.started("--port", "0", "--json", *arguments) as process:
            yield process, read_document(process)

    def is_clean(self) -> bool:
        """Whether no process is left, no temporary file and no state file."""
        started = carrying("DBZ_STATE_DIR", str(self.state))
        return not started and not list(self.temporary.iterdir()) and not (self.state / "stack.json").exists()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def read_document(process: subprocess.Popen[str]) -> dict[str, object]:
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        if line == "}\n":
            return dict(json.loads(text))
    assert process.stderr is not None
    raise AssertionError(f"dbz serve ended before it was ready: {text}{process.stderr.read()}")


def part_pids(document: dict[str, object]) -> dict[str, int]:
    pids = document["pids"]
    assert isinstance(pids, dict)
    return pids


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and everything on standard error."""
    _, errors = process.communicate(timeout=DEADLINE_S)
    return process.returncode, errors


def test_it_prints_where_everything_is_and_ctrl_c_ends_it_with_0(home: Home) -> None:
    with home.started("--port", "0") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(8)]
        process.send_signal(signal.SIGINT)
        code, errors = finish(process)
    shown = "".join(lines)
    assert "http://127.0.0.1:" in shown and "mongodb://127.0.0.1:" in shown and "redis://127.0.0.1:" in shown
    assert "user0000 … user0199, password demo" in shown
    assert "dbz load mixed --target http://127.0.0.1:" in shown
    assert "1 of the 3 that users of bundled loads are from" in shown and "stack: {clubs: 1}" in shown
    assert str(home.state / "serve-logs") in shown
    assert code == 0
    assert "Stopped." in errors and "Traceback" not in errors
    assert home.is_clean()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_other_ways_to_ask_for_the_end_are_as_good(home: Home, signum: signal.Signals) -> None:
    with home.serving() as (process, document):
        process.send_signal(signum)
        process.send_signal(signum)  # an impatient second one does not disturb the clean-up
        assert finish(process)[0] == 0
    assert all(gone(pid) for pid in part_pids(document).values())
    assert home.is_clean()


def test_json_is_also_the_state_file_and_a_second_serve_is_refused_and_names_the_first(home: Home) -> None:
    with home.serving() as (process, document):
        assert document["schema"] == "dbz.stack/1"
        assert document["pid"] == process.pid
        assert json.loads((home.state / "stack.json").read_text()) == document
        second = home.run("--port", "0")
        assert second.returncode == 2
        assert str(document["url"]) in second.stderr and str(document["pid"]) in second.stderr
        assert "Traceback" not in second.stderr and second.stdout == ""
        with urllib.request.urlopen(f"{document['url']}/healthz", timeout=30) as answer:
            assert answer.status == 200
        assert (home.state / "stack.json").exists()


def test_a_taken_port_is_refused_with_a_way_out(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        refused = home.run("--port", str(port))
    assert refused.returncode == 2
    assert f"port {port} on 127.0.0.1 is already taken" in refused.stderr
    assert "--port 0" in refused.stderr and "Traceback" not in refused.stderr
    assert home.is_clean()


@pytest.mark.parametrize(
    "arguments", [("--clubs", "0"), ("--clubs", "-3"), ("--port", "70000"), ("--processes", "0"), ("--policy", "fast")]
)
def test_absurd_values_are_refused(home: Home, arguments: tuple[str, str]) -> None:
    refused = home.run(*arguments)
    assert refused.returncode == 2
    assert arguments[0] in refused.stderr and "Traceback" not in refused.stderr
    assert home.is_clean()


def test_a_state_folder_that_cannot_be_written_is_refused(home: Home, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = home.run("--port", "0", DBZ_STATE_DIR=str(tmp_path / "file"))
    assert refused.returncode == 2
    assert "DBZ_STATE_DIR" in refused.stderr and "Traceback" not in refused.stderr


@pytest.mark.parametrize("part", ["store", "cache", "server"])
def test_a_part_that_dies_is_named_with_its_log_and_ends_it_with_3(home: Home, part: str) -> None:
    with home.serving() as (process, document):
        os.kill(part_pids(document)[part], signal.SIGKILL)
        code, errors = finish(process)
    assert code == 3
    assert {"store": "document store", "cache": "cache", "server": "reference server"}[part] in errors
    assert f"{part}.log" in errors and "Traceback" not in errors
    assert home.is_clean()


@pytest.mark.parametrize(
    ("signum", "milestone"),
    some(
        [
            (signal.SIGTERM, "store.log"), (signal.SIGTERM, "server.log"),
            (signal.SIGINT, "store.log"), (signal.SIGINT, "server.log"),
        ],
        3,
    ),
)  # fmt: skip
def test_a_signal_during_the_start_ends_it_with_130_and_leaves_nothing(
    home: Home, signum: signal.Signals, milestone: str
) -> None:
    with home.started("--port", "0") as process:
        assert eventually(lambda: (home.state / "serve-logs" / milestone).exists())
        process.send_signal(signum)
        code, errors = finish(process)
    assert code == 130
    assert "nothing is left running" in errors and "Traceback" not in errors
    assert eventually(home.is_clean)


@pytest.mark.parametrize("draw", some(range(6), 3))
def test_killing_it_at_a_random_moment_leaves_no_process_and_no_temporary_file(home: Home, draw: int) -> None:
    with home.started("--port", "0") as process:
        time.sleep(random.Random(draw).uniform(0.1, 3.0))
        assert process.poll() is None
        process.kill()
    assert eventually(lambda: not carrying("DBZ_STATE_DIR", str(home.state)))
    assert eventually(lambda: not list(home.temporary.iterdir()))


def test_after_a_kill_the_next_serve_starts_as_if_nothing_had_been(home: Home) -> None:
    with home.serving() as (process, before):
        process.kill()
    assert eventually(lambda: all(gone(pid) for pid in part_pids(before).values()))
    with home.serving() as (_, after):
        assert after["pid"] != before["pid"]
        with pytest.raises(urllib.error.URLError):
            urllib.request.urlopen(f"{before['url']}/healthz", timeout=30)
    assert eventually(home.is_clean)


def _assert_warming_reads_every_shard(home: Home) -> None:
    """Posts and games of all clubs, wherever they lie by now."""

    def cache(*arguments: str) -> dict[str, object]:
        done = run_dbz(["cache", *arguments, "--json"], home.temporary, home.env)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    cache("invalidate", "*", "--yes")
    warmed = cache("warm", "--rate", "max")
    assert (warmed["complete"], warmed["keys"]) == (True, 1509)
    cache("invalidate", "*", "--yes")
    of_one = sum(cache("warm", "--club", club)["keys"] for club in ("club00", "club01", "club02"))
    assert of_one == 1509


def test_shards_are_found_by_dbz_shard_which_moves_clubs_to_the_one_that_stands_by(home: Home):
    def shard(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run_dbz(["shard", *arguments], home.temporary, home.env)

    with home.serving("--shards", "2", "--clubs", "3"):
        status = json.loads(shard("status", "--json").stdout)
        assert [one["clubs"] for one in status["shards"]] == [2, 1] and status["followers"] == 1
        assert status["warnings"] == [], "every collection that moves is found by its club"
        assert shard("plan", "--add", "shard_2").returncode == 0
        done = shard("rebalance", "--yes", "--json")
        assert done.returncode == 0, done.stderr
        moved = json.loads(done.stdout)["moves"]
        assert moved and {move["target"] for move in moved} == {"shard_2"}
        verified = shard("verify")
        assert verified.returncode == 0, verified.stdout
        _assert_warming_reads_every_shard(home)
    assert eventually(home.is_clean)
    nobody = shard("status")
    assert nobody.returncode == 2 and "start `dbz serve --shards 2`" in nobody.stderr


def test_services_apart_answer_behind_one_gateway_and_end_with_dbz(home: Home) -> None:
    """A load's target like any other; a plan that is none is refused before anything starts."""
    for arguments, message in (
        (["--services", "chta=2"], "did you mean 'chat'"),
        (["--services", "apart", "--processes", "2"], "--services gateway=2,game=2 says"),
    ):
        refused = home.run(*arguments)
        assert refused.returncode == 2 and message in refused.stderr
    with home.serving("--services", "chat=2") as (process, document):
        with urllib.request.urlopen(f"{document['url']}/healthz", timeout=10) as response:
            services = json.load(response)["services"]
        assert {name: len(each["instances"]) for name, each in services.items()} == {
            **dict.fromkeys(services, 1),
            "chat": 2,
        }
        process.send_signal(signal.SIGTERM)
        code, _ = finish(process)
    assert code == 0 and home.is_clean()
