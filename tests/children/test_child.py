"""A child runs, logs, stops and is cleaned up after, whoever dies first."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from dbz.children import Child, free_port, stop_all, wait_for_an_end, wait_until
from dbz.errors import DependencyError, UsageError
from tests.children.processes import DEADLINE_S, ended, eventually, gone

EXITS_7_ON_SIGTERM = (
    "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); "
    "print('up', flush=True); time.sleep(60)"
)
WRITES_IN_A_FOLDER = "(path / 'd').mkdir(); (path / 'd' / 'f').touch(); print(oct(path.stat().st_mode))"
IGNORES_SIGTERM = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
)
HAS_A_CHILD = (
    "import subprocess, sys, time; "
    "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
    "print(p.pid, flush=True); time.sleep(60)"
)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def guard_pid(child: Child) -> int:
    return psutil.Process(child.pid).ppid()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "child.log"


def test_output_and_error_output_are_appended_to_the_log(log: Path) -> None:
    for word in ("first", "second"):
        with Child("talker", python(f"import sys; print('{word}'); print('oh', file=sys.stderr)"), log=log) as child:
            assert child.wait(DEADLINE_S) == 0
    assert sorted(log.read_text().split()) == ["first", "oh", "oh", "second"]


def test_the_log_tail_is_the_end_of_a_long_log(log: Path) -> None:
    with Child("talker", python("print('x' * 100_000); print('the end')"), log=log) as child:
        child.wait(DEADLINE_S)
        assert child.log_tail().endswith("the end")
        assert len(child.log_tail()) < 10_000


@pytest.mark.parametrize("code", [0, 1, 3, 130])
def test_the_exit_code_is_the_programs(log: Path, code: int) -> None:
    with Child("quitter", python(f"raise SystemExit({code})"), log=log) as child:
        assert child.wait(DEADLINE_S) == code
        assert child.exit_code == code
    assert child.stop() == code


def test_a_killed_program_has_128_plus_the_signal(log: Path) -> None:
    with Child("victim", ["sleep", "60"], log=log) as child:
        assert child.exit_code is None
        child.interrupt(signal.SIGKILL)
        assert child.wait(DEADLINE_S) == 128 + signal.SIGKILL
        child.interrupt()  # nothing left to signal, and no error


def test_a_program_that_is_not_there_ends_with_127_and_says_so(log: Path) -> None:
    with Child("ghost", ["no-such-program-anywhere"], log=log) as child:
        assert child.wait(DEADLINE_S) == 127
        assert "cannot start no-such-program-anywhere: No such file or directory" in child.log_tail()


def test_a_log_that_cannot_be_written_is_a_usage_error_and_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    before = own_children()
    with pytest.raises(UsageError, match="cannot be written: File exists"):
        Child("mute", ["sleep", "60"], log=tmp_path / "file" / "child.log")
    assert own_children() <= before


def test_a_scratch_folder_that_cannot_be_made_is_a_dependency_error(tmp_path: Path, log: Path) -> None:
    (tmp_path / "file").write_text("")
    before = own_children()
    with pytest.raises(DependencyError, match=r"homeless could not be started:\ncannot guard sleep: .*Not a directory"):
        Child("homeless", ["sleep", "60"], log=log, scratch=[tmp_path / "file" / "scratch"])
    assert own_children() <= before


def own_children() -> set[int]:
    """Processes that this one has started; fixtures of other tests may hold some."""
    return {child.pid for child in psutil.Process().children() if not gone(child.pid)}


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # it may come between the child's making and the block
@pytest.mark.parametrize("after_s", [0.001, 0.005, 0.01, 0.02])
def test_a_signal_that_raises_while_a_child_starts_leaves_nothing(tmp_path: Path, log: Path, after_s: float) -> None:
    """The caller has no child yet that it could stop."""

    def raise_it(*_: object) -> None:
        raise KeyboardInterrupt

    def run_until_it_is_raised() -> None:
        signal.setitimer(signal.ITIMER_REAL, after_s)
        with Child("ward", ["sleep", "60"], log=log, scratch=[tmp_path / "scratch"]):
            time.sleep(DEADLINE_S)

    children_before = own_children()
    before = signal.signal(signal.SIGALRM, raise_it)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_until_it_is_raised()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert eventually(lambda: own_children() <= children_before and not (tmp_path / "scratch").exists())


def test_a_program_gets_the_environment_and_default_signals(log: Path) -> None:
    code = "import os, signal; print(os.environ['WHO'], signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    with Child("plain", python(code), log=log, env={"WHO": "dbz"}) as child:
        child.wait(DEADLINE_S)
    assert log.read_text() == "dbz True\n"


def test_scratch_folders_are_private_and_removed_with_all_they_hold(tmp_path: Path, log: Path) -> None:
    scratch = tmp_path / "scratch"
    code = f"import pathlib; path = pathlib.Path({str(scratch)!r}); {WRITES_IN_A_FOLDER}"
    with Child("writer", python(code), log=log, scratch=[scratch]) as child:
        assert child.wait(DEADLINE_S) == 0
    assert log.read_text() == "0o40700\n"
    assert not scratch.exists()


def test_a_program_that_ignores_sigterm_is_killed_after_the_grace_period(log: Path) -> None:
    child = Child("stubborn", python(IGNORES_SIGTERM), log=log, grace_s=0.2)
    wait_until(lambda: "up" in child.log_tail(), child, deadline_s=DEADLINE_S, what="the stubborn program")
    assert child.stop() == 128 + signal.SIGKILL
    assert gone(child.pid)


def test_a_program_that_handles_sigterm_keeps_its_own_exit_code(log: Path) -> None:
    child = Child("polite", python(EXITS_7_ON_SIGTERM), log=log)
    wait_until(lambda: "up" in child.log_tail(), child, deadline_s=DEADLINE_S, what="the polite program")
    assert child.stop() == 7


@pytest.mark.parametrize("end", ["stop", "kill the program", "kill the guard"])
def test_what_a_program_started_ends_with_it(log: Path, end: str) -> None:
    with Child("parent", python(HAS_A_CHILD), log=log) as child:
        wait_until(lambda: child.log_tail().isdigit(), child, deadline_s=DEADLINE_S, what="the parent")
        grandchild = int(child.log_tail())
        if end == "kill the program":
            child.interrupt(signal.SIGKILL)
            child.wait(DEADLINE_S)
        if end == "kill the guard":
            os.kill(guard_pid(child), signal.SIGKILL)
            child.wait(DEADLINE_S)
    assert eventually(lambda: gone(grandchild))


def test_several_programs_stop_together(tmp_path: Path) -> None:
    children = [Child(name, ["sleep", "60"], log=tmp_path / name) for name in ("a", "b", "c")]
    stop_all(children)
    assert [child.exit_code for child in children] == [128 + signal.SIGTERM] * 3


def test_a_killed_guard_ends_its_program_and_its_folders_are_removed(tmp_path: Path, log: Path) -> None:
    scratch = tmp_path / "scratch"
    with Child("orphan", python(IGNORES_SIGTERM), log=log, scratch=[scratch]) as child:
        os.kill(guard_pid(child), signal.SIGKILL)
        assert eventually(lambda: gone(child.pid))
        assert child.wait(DEADLINE_S) == 128 + signal.SIGKILL
        assert not scratch.exists()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_a_guard_that_is_asked_to_end_ends_its_program_first(tmp_path: Path, log: Path, signum: signal.Signals) -> None:
    scratch = tmp_path / "scratch"
    with Child("ward", ["sleep", "60"], log=log, scratch=[scratch]) as child:
        os.kill(guard_pid(child), signum)
        assert child.wait(DEADLINE_S) == 128 + signal.SIGTERM
        assert gone(child.pid) and not scratch.exists()


PARENT = """
import sys, time
from pathlib import Path
from dbz.children import Child
child = Child("ward", [sys.executable, "-c", {code!r}], log=Path({log!r}), scratch=[Path({scratch!r})], grace_s=0.5)
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("killed", ["parent", "guard, then parent"])
def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path, log: Path, killed: str) -> None:
    scratch = tmp_path / "scratch"
    source = PARENT.format(code=IGNORES_SIGTERM, log=str(log), scratch=str(scratch))
    with ended(subprocess.Popen(python(source), stdout=subprocess.PIPE, text=True)) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        guard = psutil.Process(pid).ppid()
        assert scratch.is_dir()
        if killed != "parent":
            os.kill(guard, signal.SIGKILL)
        parent.kill()
    assert eventually(lambda: gone(pid) and gone(guard))
    if killed == "parent":
        assert eventually(lambda: not scratch.exists())


def test_waiting_for_a_program_that_ends_first_shows_its_log(log: Path) -> None:
    expected = pytest.raises(DependencyError, match="the store ended at start with code 1:\nno more disk")
    with Child("crasher", python("raise SystemExit('no more disk')"), log=log) as child, expected:
        wait_until(lambda: False, child, deadline_s=DEADLINE_S, what="the store")


def test_waiting_ends_at_the_deadline(log: Path) -> None:
    expected = pytest.raises(DependencyError, match=r"the store was not ready within 0\.1 s")
    with Child("sleeper", ["sleep", "60"], log=log) as child, expected:
        wait_until(lambda: False, child, deadline_s=0.1, what="the store")


def test_a_free_port_can_be_bound() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", free_port()))


def test_waiting_for_an_end_is_over_when_the_first_of_several_programs_ends(log: Path) -> None:
    """Each wait is for longer than a test may take: it returns early, or the test does not end."""
    with Child("slow", python("import time; time.sleep(600)"), log=log) as slow:
        with Child("quick", python("pass"), log=log) as quick:
            wait_for_an_end([slow, quick], 10_000)
            assert quick.wait(10_000) == 0
            assert slow.exit_code is None
            wait_for_an_end([slow, quick], 10_000)  # one has ended already
        wait_for_an_end([], 10_000)
        slow.interrupt(signal.SIGKILL)
        wait_for_an_end([slow], 10_000)
        assert slow.wait(10_000) == 137


def test_waiting_for_an_end_gives_up_after_its_time(log: Path) -> None:
    with Child("slow", python("import time; time.sleep(600)"), log=log) as slow:
        wait_for_an_end([slow], 0.01)
        wait_for_an_end([slow], -1)
        assert slow.wait(0.01) is None
