"""What `make coverage` counts: the ways that were taken in every process, whatever it was started by."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from coverage import Coverage

from tests.coverage.rooms import lines_missing, measured_rooms, settings_for, table

_MODULE = """
def way(number):
    if number == 1:
        return "fork"
    if number == 2:
        return "program"
    if number == 3:
        return "greenlet"
    if number == 4:
        return "thread"
    if number == 5:
        return "nobody"
    return "other"
"""
_PROGRAM = """
import os, subprocess, sys, threading
import greenlet
from dbz.room.one import way
if sys.argv[1:]:
    way(2)
    sys.exit()
if not os.fork():
    way(1)
    os._exit(0)
os.wait()
subprocess.run([sys.executable, __file__, "below"], check=True)
greenlet.greenlet(way).switch(3)
thread = threading.Thread(target=way, args=(4,))
thread.start()
thread.join()
"""


def test_every_process_thread_and_greenlet_is_measured_and_what_nobody_took_is_named(tmp_path: Path) -> None:
    for folder in ("dbz", "dbz/room"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").touch()
    (tmp_path / "dbz/room/one.py").write_text(_MODULE.lstrip())
    (tmp_path / "dbz/alone.py").write_text("if True:\n    NEVER = 1\n")
    (tmp_path / "program.py").write_text(_PROGRAM)
    (tmp_path / "settings").write_text(settings_for(tmp_path / "data", tmp_path))
    command = [sys.executable, "-m", "coverage", "run", "--rcfile=settings", "program.py"]
    subprocess.run(command, cwd=tmp_path, check=True)
    Coverage(data_file=str(tmp_path / "data"), config_file=False).combine([str(tmp_path)])

    rooms = measured_rooms([tmp_path / "data"], tmp_path)

    (room, beside) = rooms
    assert (room.name, room.branches, room.branches_taken) == ("dbz.room", 10, 7)
    assert (room.lines, room.lines_taken) == (12, 9)
    assert beside.lines_taken == 0
    assert "dbz/room/one.py: 10-12\n" in lines_missing(rooms)
    assert "| `dbz.room` | 12 | 75.0 % | 10 | 70.0 % |" in table(rooms)
