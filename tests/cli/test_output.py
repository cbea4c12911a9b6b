"""What becomes of the exit code and the verdict when nothing can be printed, or nothing written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from dbz.errors import ExitCode
from tests.children.processes import ended, eventually
from tests.cli.running import DBZ, small_server
from tests.whole import WHOLE, some

SUMMARY = {
    "metrics": {
        "http_req_duration": {"avg": 300.0, "min": 1.0, "med": 300.0, "max": 900.0, "p(90)": 600.0, "p(95)": 800.0},
        "http_reqs": {"count": 1000, "rate": 100.0},
        "http_req_failed": {"passes": 0, "fails": 1000, "value": 0.0},
    },
    "root_group": {"name": "", "path": "", "groups": {}, "checks": {}},
}
BUDGETS = """
schema: dbz.budgets/1
budgets:
  - {name: quick, of: http, stat: p95, limit: "< 500 ms"}
"""
WAYS = {
    "a reader that has left": "| true",
    "a reader that takes one line": "| head -n 1",
    "a full disk": "> /dev/full",
    "no standard output": ">&-",
    "no standard error": "2>&-",
    "neither": ">&- 2>&-",
    "nothing at all": "<&- >&- 2>&-",
    "messages to a full disk": "2> /dev/full",
}


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A folder with another tool's result that breaks a budget."""
    (tmp_path / "summary.json").write_text(json.dumps(SUMMARY))
    (tmp_path / "budgets.yaml").write_text(BUDGETS)
    return tmp_path


def shell(line: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command line in which `dbz` is the program; the exit code is that of `dbz`, not of its reader."""
    script = f'dbz() {{ {" ".join(DBZ)} "$@"; }}\n{line}\nexit "${{PIPESTATUS[0]}}"'
    done = subprocess.run(
        ["bash", "-c", script], cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, timeout=60
    )
    assert "Traceback" not in done.stdout + done.stderr and "Exception ignored" not in done.stderr
    return done


@pytest.mark.parametrize(
    ("way", "form"),
    [(way, form) for row, way in enumerate(WAYS) for at, form in enumerate(("", "--json")) if WHOLE or (row + at) % 2],
)
def test_the_code_is_the_verdicts_wherever_the_output_goes(broken: Path, way: str, form: str) -> None:
    done = shell(f"dbz budget check summary.json --budgets budgets.yaml --out verdict {form} {WAYS[way]}", broken)
    assert done.returncode == ExitCode.BROKEN, done.stderr
    assert json.loads((broken / "verdict" / "verdict.json").read_text())["verdict"] == "fail"


@pytest.mark.parametrize("way", [way for way in WAYS if "full disk" not in way])
def test_help_and_lists_end_well_wherever_they_go(tmp_path: Path, way: str) -> None:
    for command in some(["report schema", "--help", "budget metrics"], 1):
        assert shell(f"dbz {command} {WAYS[way]}", tmp_path).returncode == ExitCode.OK, command


def test_what_was_asked_for_and_could_not_be_printed_is_no_success(tmp_path: Path) -> None:
    done = shell("dbz report schema > /dev/full", tmp_path)
    assert done.returncode == ExitCode.UNREACHABLE and "No space left on device" in done.stderr


@pytest.mark.parametrize("way", some(list(WAYS), 3))
def test_wrong_usage_stays_wrong_usage(tmp_path: Path, way: str) -> None:
    assert shell(f"dbz report shwo {WAYS[way]}", tmp_path).returncode == ExitCode.USAGE


@pytest.mark.parametrize(
    "locale", some([{"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1"}], 2)
)
def test_an_encoding_without_our_signs_stops_nothing(broken: Path, locale: dict[str, str]) -> None:
    plain = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", **locale}
    command = "dbz budget check summary.json --budgets budgets.yaml"
    assert shell(command, broken, **plain).returncode == ExitCode.BROKEN
    done = shell(f"{command} --json", broken, **plain)
    assert done.returncode == ExitCode.BROKEN and json.loads(done.stdout)["verdict"] == "fail"


def test_reports_that_cannot_be_written_do_not_change_the_verdict(broken: Path) -> None:
    (broken / "verdict").write_text("a file where the folder should be")
    done = shell("dbz budget check summary.json --budgets budgets.yaml --out verdict", broken)
    assert done.returncode == ExitCode.BROKEN and "cannot write" in done.stderr
    assert "FAIL" in done.stdout and "Written" not in done.stdout


def test_a_hangup_during_a_load_is_an_interrupt_with_a_verdict_in_its_file(tmp_path: Path) -> None:
    """Also below nohup, which this test may run under, and which is not what it is about."""
    with small_server() as url:
        command = [*DBZ, "load", url, "--users", "2", "--duration", "30s", "--warmup", "1s", "--no-live"]
        process = subprocess.Popen(
            ["env", "--default-signal=HUP", *command],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with ended(process):
            assert eventually(lambda: any(tmp_path.glob("reports/*/worker-0.jsonl")))
            process.send_signal(signal.SIGHUP)
            out, errors = process.communicate(timeout=30)
    assert process.returncode == ExitCode.INTERRUPTED, errors
    (run,) = tmp_path.glob("reports/*/run.json")
    assert json.loads(run.read_text())["verdict"] == "interrupted" and "INTERRUPTED" in out


def test_a_load_whose_reader_leaves_is_judged_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "budgets.yaml").write_text(BUDGETS.replace("500 ms", "1 us"))
    with small_server() as url:
        line = f"dbz load {url} --users 2 --duration 2s --warmup 0s --no-live --budgets budgets.yaml"
        assert shell(f"{line} | head -n 1", tmp_path).returncode == ExitCode.BROKEN
    (run,) = tmp_path.glob("reports/*/run.json")
    assert json.loads(run.read_text())["verdict"] == "fail"
