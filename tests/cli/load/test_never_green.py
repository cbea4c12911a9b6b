"""No load is green on a server that is bad, whatever is loaded and however; and the same loads are on a good one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from dbz.errors import ExitCode
from tests.children.processes import carrying, ended, eventually
from tests.cli.bad_server import bad_server
from tests.cli.running import DBZ, start_dbz
from tests.whole import some

LOCUST_FILE = """\
from locust import HttpUser, constant, task
class Visitor(HttpUser):
    wait_time = constant(0.02)
    @task
    def visit(self):
        self.client.get("/x")
"""
SCENARIO = LOCUST_FILE.replace("from locust import", "from dbz.users import")
TIMES = ["--duration", "8s", "--warmup", "1s", "--no-live", "--json"]
"""As long as servers take to become bad."""
SHORT = ["--duration", "2s", "--warmup", "0s", "--no-live", "--json"]
LOADS: dict[str, list[str]] = {
    "closed URL": ["{url}/x", "--users", "4"],
    "open URL": ["{url}/x", "--rate", "40/s"],
    "Locust file": ["file.py", "--target", "{url}", "--users", "4", "--budgets", "answers"],
    "own scenario, two workers": [
        *("scenario.py", "--target", "{url}", "--users", "4", "--workers", "2", "--budgets", "answers")
    ],
}


def outcomes(
    kind: str, names: Sequence[str], folder: Path, times: Sequence[str] = TIMES
) -> dict[str, tuple[int, dict[str, Any]]]:
    """Exit code and run.json of loads, each on a server of its own; they run side by side."""
    with ExitStack() as servers:
        return _outcomes({name: servers.enter_context(bad_server(kind)) for name in names}, folder, times)


def _outcomes(urls: dict[str, str], folder: Path, times: Sequence[str]) -> dict[str, tuple[int, dict[str, Any]]]:
    (folder / "file.py").write_text(LOCUST_FILE)
    (folder / "scenario.py").write_text(SCENARIO)
    running = {
        name: start_dbz(
            ["load", *(part.format(url=url) for part in LOADS[name]), *times, "--out", f"reports {name}"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for name, url in urls.items()
    }
    done = {}
    for name, process in running.items():
        with ended(process):
            out, _ = process.communicate(timeout=90)
        done[name] = (process.returncode, json.loads(out) if out else {})
    return done


BAD = {
    "one in fifty fails": some(["Locust file", "closed URL"], 1),
    "is silent for a while": some(["own scenario, two workers", "open URL"], 1),
    "hangs at the end": some(["closed URL", "own scenario, two workers"], 1),
    "health 503": some(["open URL", "Locust file"], 1),
}


@pytest.mark.parametrize("kind", BAD)
def test_no_load_is_green_on_a_bad_server(kind: str, tmp_path: Path) -> None:
    """A machine that is busy with other things may make a run invalid, which is not green either; but not all runs."""
    done = outcomes(kind, BAD[kind], tmp_path)
    if ExitCode.BROKEN not in {code for code, _ in done.values()}:
        done = outcomes(kind, BAD[kind], tmp_path)
    reasons = {name: run.get("reasons") for name, (_, run) in done.items()}
    assert {code for code, _ in done.values()} <= {ExitCode.BROKEN, ExitCode.INVALID}, reasons
    assert ExitCode.BROKEN in {code for code, _ in done.values()}, reasons


def test_the_same_loads_are_green_on_a_good_server(tmp_path: Path) -> None:
    """One after the other: beside each other, on a machine that others use too, they are too many for two cores.

    Where the generator stood still all the same, which the run says itself, it is made again.
    """
    for name in LOADS:
        for _ in range(3):
            code, run = outcomes("good", [name], tmp_path, SHORT)[name]
            if not (code == ExitCode.INVALID and "stood still" in " ".join(run["reasons"])):
                break
        assert code == ExitCode.OK, (name, run.get("reasons"))


def generators(mark: str) -> list[int]:
    """The processes of the load generator of a run, without their guards, the master's last."""
    found = []
    for pid in carrying("DBZ_TEST", mark):
        process = psutil.Process(pid)
        if "dbz.load.generator" in process.cmdline()[-1] and not any("guard.py" in one for one in process.cmdline()):
            found.append(process)
    return [one.pid for one in sorted(found, key=lambda one: '"master"' in one.environ().get("DBZ_LOAD_SPEC", ""))]


@pytest.mark.parametrize(("workers", "for_s"), [(1, None), (2, 4.0)], ids=["for ever", "for a while"])
def test_a_generator_that_stands_still_is_invalid_and_ends_soon(
    workers: int, for_s: float | None, tmp_path: Path
) -> None:
    load = ["load", "{url}/x", "--users", "4", "--workers", str(workers), *TIMES]
    with bad_server("good") as url:
        process = subprocess.Popen(
            [*DBZ, *(part.format(url=url) for part in load)],
            cwd=tmp_path,
            env={**os.environ, "DBZ_TEST": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert eventually(lambda: any(log.read_text().count("\n") >= 4 for log in tmp_path.rglob("worker-0.jsonl")))
        frozen = generators(str(tmp_path))[0]
        os.kill(frozen, signal.SIGSTOP)
        if for_s is not None:
            with pytest.raises(subprocess.TimeoutExpired):
                process.communicate(timeout=for_s)
            os.kill(frozen, signal.SIGCONT)
        with ended(process):
            out, _ = process.communicate(timeout=40)
    assert process.returncode == ExitCode.INVALID
    reasons = json.loads(out)["reasons"]
    assert any("stood still" in reason or "lost" in reason for reason in reasons), reasons
