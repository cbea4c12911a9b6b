"""A soak: mixed load against the embedded stack, children killed in turn in its first third, all of it looked at.

Then nothing is killed, and users come back bit by bit; in the last third what the kills left behind, and what grows by
itself, must not show. Redis is stopped for moments, which the server survives; an embedded store that ends is the end
of `dbz serve`, as documented.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from dbz.errors import ExitCode
from dbz.runs.storage.folder import RunFolder, list_runs
from dbz.runs.storage.reading import read_record
from dbz.runs.storage.record import STEADY
from tests.cli.running import DBZ
from tests.soak.watching import ProcessWatch

_STARTED_WITHIN_S = 240.0
_PAUSE_S = 2.0
"""For so long Redis is stopped when it is its turn: it does not answer, and then it does again."""
_LONGEST_GAP_S = 3.0
"""Between two lines of a worker, of which there is one for each second; a busy machine may come late."""
Say = Callable[[str], None]


@contextmanager
def served(folder: Path, environment: dict[str, str]) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    """A running `dbz serve` with two server processes, and its state document."""
    with (folder / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [*DBZ, "serve", "--port", "0", "--processes", "2"], env=environment, cwd=folder, stdout=log, stderr=log
        )
    try:
        end, state = time.monotonic() + _STARTED_WITHIN_S, folder / "state" / "stack.json"
        while not state.exists():
            assert process.poll() is None and time.monotonic() < end, (folder / "serve.log").read_text()
            time.sleep(0.2)
        yield process, json.loads(state.read_text())
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def load_command(url: str, seconds: int, *more: str) -> list[str]:
    """A mixed load of a few users with two workers; nothing of it is judged but whether it is valid."""
    rate = ("--users", "20", "--warmup", "2s", "--duration", f"{seconds}s", "--workers", "2")
    return [*DBZ, "load", "mixed", "--target", url, *rate, "--budgets", "none", "--no-live", "--out", "reports", *more]


def workers_of(supervisor: int) -> list[int]:
    """The processes of the server that answer requests: those without children of their own."""
    with suppress(psutil.Error):
        return [one.pid for one in psutil.Process(supervisor).children(recursive=True) if not one.children()]
    return []


def _below(root: int, *words: str) -> list[psutil.Process]:
    found = []
    for one in psutil.Process(root).children(recursive=True):
        with suppress(psutil.Error):
            line = " ".join(one.cmdline())
            if all(word in line for word in words) and "guard.py" not in line:
                found.append(one)
    return found


def soak(folder: Path, seconds: int, say: Say) -> list[str]:
    """What is wrong after a soak of so many seconds; `say` gets its lines."""
    environment = {**os.environ, "DBZ_STATE_DIR": str(folder / "state"), "NO_COLOR": "1"}
    wrong: list[str] = []
    with served(folder, environment) as (server, state):
        watch = ProcessWatch()
        with (folder / "load.log").open("wb") as log:
            load = subprocess.Popen(
                load_command(state["url"], seconds), env=environment, cwd=folder, stdout=log, stderr=log
            )
        try:
            kills = _steady(watch, server, load, state, seconds, say)
        finally:
            if load.poll() is None:
                load.send_signal(signal.SIGINT)
                load.wait(60)
        wrong += _judge_load(load.returncode, folder, seconds, kills, say)
        told, growing = watch.growing(seconds * 2 / 3, seconds)
        say("held in the last third (level, growth over it by the Theil–Sen slope):")
        for line in told:
            say(f"  {line}")
        wrong += [f"it grows: {line}" for line in growing]
        if not told:
            wrong.append("no process lived through the last third")
        wrong += _killed_worker(folder, state["url"], environment, say)
        if server.poll() is not None:
            wrong.append(f"dbz serve ended with {server.returncode}")
    left = [one for one in state["pids"].values() if psutil.pid_exists(one)]
    return wrong + ([f"processes are left: {left}"] if left else [])


def _steady(
    watch: ProcessWatch,
    server: subprocess.Popen[bytes],
    load: subprocess.Popen[bytes],
    state: dict[str, Any],
    seconds: int,
    say: Say,
) -> int:
    """Look once a second until the load has ended; how many strikes there were."""
    begun_s, kills = time.monotonic(), 0
    every_s = max(seconds / 3 / 8, 4.0)
    due_s, turns = begun_s + every_s + 2, itertools.cycle(("server", "redis", "server"))
    while load.poll() is None:
        now_s = time.monotonic()
        assert now_s - begun_s < seconds * 2 + 300, "the load does not end"
        watch.look(server.pid, load.pid)
        if now_s >= due_s and now_s - begun_s < seconds / 3:
            due_s, turn = now_s + every_s, next(turns)
            kills += 1
            say(f"{now_s - begun_s:6.1f} s  {_strike(turn, state)}")
        time.sleep(max(0.0, 1.0 - (time.monotonic() - now_s)))
    return kills


def _strike(turn: str, state: dict[str, Any]) -> str:
    if turn == "redis":
        pid = state["pids"]["cache"]
        os.kill(pid, signal.SIGSTOP)
        time.sleep(_PAUSE_S)
        os.kill(pid, signal.SIGCONT)
        return f"Redis ({pid}) was stopped for {_PAUSE_S:g} s"
    victims = workers_of(state["pids"]["server"])
    if not victims:
        return "no worker of the server was there to be killed"
    os.kill(victims[0], signal.SIGKILL)
    return f"killed a worker of the server ({victims[0]})"


def _judge_load(code: int, folder: Path, seconds: int, kills: int, say: Say) -> list[str]:
    """The run is there, valid, and has a line of every worker for every second."""
    wrong = []
    if code not in (ExitCode.OK, ExitCode.BROKEN):
        wrong.append(f"the load ended with {code}: {(folder / 'load.log').read_text()[-2000:]}")
    runs = list_runs(folder / "reports")
    if not runs:
        return [*wrong, "there is no run"]
    record, run = read_record(runs[-1]), runs[-1].load()
    for name, lines in record.workers.items():
        times = [line["t"] for line in lines]
        gaps = [(before, after) for before, after in itertools.pairwise(times) if after - before > _LONGEST_GAP_S]
        if gaps or len(times) < seconds * 0.9:
            wrong.append(f"{name}: {len(times)} lines for {seconds} s, gaps {gaps[:5]}")
    if len(record.workers) != 2 or record.damaged_lines or not (runs[-1].path / "report.html").exists():
        wrong.append(f"{runs[-1].id}: {len(record.workers)} workers, {record.damaged_lines} damaged lines, or no page")
    requests = sum(one.count for one in run.operations)
    lines = f"{len(record.server)} lines of the server"
    say(f"load: exit code {code}, verdict {run.verdict}, {requests:,} attempts, {kills} strikes, {lines}")
    return wrong


def _killed_worker(folder: Path, url: str, environment: dict[str, str], say: Say) -> list[str]:
    """A short load whose second generator is killed: the run is not valid, says why, and is complete."""
    known = {one.name for one in (folder / "reports").iterdir()}
    with (folder / "killed.log").open("wb") as log:
        load = subprocess.Popen(load_command(url, 20), env=environment, cwd=folder, stdout=log, stderr=log)
    end, victim = time.monotonic() + 90, None
    while victim is None and time.monotonic() < end and load.poll() is None:
        runs = [one for one in sorted((folder / "reports").iterdir()) if one.name not in known]
        record = read_record(RunFolder(runs[-1])) if runs else None
        if record is not None and STEADY in record.marks and len(record.workers) == 2:
            victim = next(iter(_below(load.pid, "load.generator")[-1:]), None)
        time.sleep(0.2)
    if victim is not None:
        with suppress(psutil.Error):
            victim.kill()
    code = load.wait(120)
    run = list_runs(folder / "reports")[-1].load()
    say(f"a load whose generator was killed: exit code {code}, verdict {run.verdict}")
    if victim is None:
        return [f"no generator was there to be killed: {(folder / 'killed.log').read_text()[-800:]}"]
    return [] if code == ExitCode.INVALID else [f"a load without its generator ended with {code}"]
