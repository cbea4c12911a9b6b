"""A hostile file in the place of each file that a command reads: one clear message, 2, little memory, and no hang."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from dbz.errors import ExitCode
from tests.cli.commands import every_command
from tests.cli.test_odd_arguments import NOWHERE, said_by
from tests.whole import some

MOST_MB = 100
"""What reading one may cost beside what the process has already."""
LONGEST_S = 60.0
"""Of CPU; far more than any takes."""
_MANY = 400_000


def huge(path: Path) -> None:
    """600 MB of nothing that lie on no disk."""
    with path.open("wb") as file:
        file.truncate(600_000_000)


def _content(*parts: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(b"".join(parts)) and None


def _schema(path: Path) -> bytes:
    names = {"plan.json": "dbz.scale-plan/1", "run.json": "dbz.run/1", "capacity.json": "dbz.capacity/1"}
    return json.dumps(names.get(path.name, "dbz.run/1")).encode()


def _document(inner: Callable[[], bytes]) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(b'{"schema": ' + _schema(path) + b', "a": ' + inner() + b"}") and None


YAML = {
    "huge": huge,
    "deep": _content(b"[" * 200_000),
    "laughs": _content(b"a: &a [x,x,x,x,x,x,x,x,x]\n", *(
        b"%c: &%c [%s]\n" % (97 + n, 97 + n, b",".join([b"*%c" % (96 + n)] * 9)) for n in range(1, 20)
    )),
    "many": _content(b"[" + b"a," * 100_000 + b"]"),
    "digits": _content(b"a: " + b"9" * 400_000),
    "key": _content(b"'" + b"k" * 400_000 + b"': 1"),
    "keys": _content(b"? [a, b]\n: c\n" * 4_000),
    "binary": _content(bytes(range(256)) * 1000),
}  # fmt: skip
JSON = {
    "huge": huge,
    "deep": _content(b"[" * 500_000),
    "nested": _document(lambda: b'{"a":' * 900 + b"1" + b"}" * 900),
    "many": _document(lambda: b"[" + b"[]," * 2 * _MANY + b"[]]"),
    "objects": _document(lambda: b"[" + b'{"a":1},' * _MANY + b"1]"),
    "digits": _document(lambda: b"9" * 5_000_000),
    "text": _document(lambda: b'"' + b"x" * 20_000_000),
    "escaped": _document(lambda: b'"' + b'\\",' * 1_500_000),
    "binary": _content(bytes(range(256)) * 1000),
}
TABLE = {
    "huge": huge,
    "cells": _content(b"time,requests", b"," * 3_000_000),
    "rows": _content(b"time,requests\n", b"1,1\n" * 400_000 + b"x,y\n"),
    "lines": _content(b"\n" * 1_000_000),
    "quoted": _content(b'time,requests\n1,"', b"x\n" * 700_000),
    "binary": _content(bytes(range(256)) * 1000),
}
LOG = {
    "huge": huge,
    "deep": _content(b"[" * 500_000),
    "deep lines": _content(b'{"a":' * 10_000 + b"\n", b"x\n"),
    "bomb": lambda path: path.write_bytes(gzip.compress(bytes(150_000_000), 1)) and None,
    "cut": lambda path: path.write_bytes(gzip.compress(bytes(1_000_000))[:-9]) and None,
    "yaml": _content(b"openapi: 3.0.0\n", b"- a\n" * 400_000),
    "laughs": _content(b"openapi: 3.0.0\na: &a [x,x,x,x,x,x,x,x,x]\n", *(
        b"%c: &%c [%s]\n" % (97 + n, 97 + n, b",".join([b"*%c" % (96 + n)] * 9)) for n in range(1, 20)
    )),
    "objects": _content(b"[" + b'{"a":1},' * 1_000_000 + b"1]"),
    "har": _content(b'{"log": {"entries": ' + b'[{"request":' * 2000),
    "binary": _content(bytes(range(256)) * 1000),
}  # fmt: skip
FORMS = {"yaml": YAML, "json": JSON, "table": TABLE, "log": LOG, "text": {"huge": huge}}
SHORT = ("--duration", "1s", "--warmup", "0s", "--users", "1", "--no-live")
TARGET = ("--target", "http://127.0.0.1:1")
READS: dict[tuple[str, str], tuple[str, tuple[str, ...]]] = {
    ("doctor", "PROFILE"): ("yaml", ("file.yaml",)),
    ("doctor", "--shards"): ("yaml", ("--shards", "file.yaml")),
    ("load", "SUBJECT"): ("yaml", ("file.yaml", *TARGET, *SHORT)),
    ("load", "SUBJECT FILE.py"): ("text", ("file.py", *TARGET, *SHORT)),
    ("load", "--budgets"): ("yaml", ("smoke", *TARGET, *SHORT, "--budgets", "file.yaml")),
    ("load", "--phases"): ("yaml", ("api", *TARGET, *SHORT, "--phase", "phase_1", "--phases", "file.yaml")),
    ("load", "--baseline"): ("json", ("smoke", *TARGET, *SHORT, "--baseline", "run")),
    ("capacity", "SUBJECT"): ("yaml", ("file.yaml", *TARGET)),
    ("capacity", "--budgets"): ("yaml", ("api", *TARGET, "--budgets", "file.yaml")),
    ("capacity", "--phases"): ("yaml", ("api", *TARGET, "--phases", "file.yaml")),
    ("init", "--from"): ("log", ("made", "--from", "file.log")),
    ("import", "FILES"): ("log", ("file.log", "--out", "made.py")),
    ("import", "--model"): ("log", ("file.log", "--model", "made.yaml", "--out", "made.py")),
    ("try", "SUBJECT"): ("yaml", ("file.yaml", *TARGET)),
    ("cache warm", "--config"): ("yaml", ("--config", "file.yaml", "--yes")),
    ("cache warm", "--shards"): ("yaml", ("--shards", "file.yaml", "--yes")),
    ("cache check", "--config"): ("yaml", ("--config", "file.yaml")),
    ("cache check", "--shards"): ("yaml", ("--shards", "file.yaml")),
    **{
        (f"shard {name}", "--config"): ("yaml", (*more, "--config", "file.yaml"))
        for name, more in {
            "status": (), "route": ("c",), "adopt": (), "plan": ("--add", "s"), "rebalance": ("--yes",), "verify": (),
            "rollback": ("m", "--yes"), "cancel": ("--yes",), "clean": ("--yes",), "query": ("posts",),
        }.items()
    },
    ("shard rebalance", "--plan"): ("json", ("--plan", "plan.json", "--yes", "--config", "shards.yaml")),
    ("events rebuild", "--shards"): ("yaml", ("--shards", "file.yaml", "--yes")),
    ("report show", "RUN"): ("json", ("run",)),
    ("report html", "RUN"): ("json", ("run",)),
    ("report compare", "BASE"): ("json", ("run", "run")),
    ("budget check", "FILES"): ("json", ("run/run.json",)),
    ("budget check", "FILES of CSV"): ("table", ("file.csv",)),
    ("budget check", "--budgets"): ("yaml", ("results.json", "--budgets", "file.yaml")),
    **{
        (f"scale {name}", "--phases"): ("yaml", (*more, "--phases", "file.yaml"))
        for name, more in {
            "status": (), "plan": ("phase_1",), "apply": ("phase_1", "--yes"), "set": ("--tasks", "2", "--yes"),
            "rollback": ("--yes",), "history": (), "auto": ("--phase", "phase_1"), "simulate": ("--shape", "evening"),
            "size": (),
        }.items()
    },
    ("scale apply", "--plan"): ("json", ("--plan", "plan.json", "--yes")),
    ("scale simulate", "--trace"): ("table", ("--trace", "file.csv", "--per-task", "10/s")),
    ("scale simulate", "--trace of JSON"): ("json", ("--trace", "run/run.json", "--per-task", "10/s")),
    ("scale simulate", "--from"): ("json", ("--shape", "evening", "--from", "capacity.json")),
    ("scale size", "--from"): ("json", ("--from", "capacity.json")),
    ("monitor check", "FILE"): ("yaml", ("file.yaml",)),
    ("monitor test", "FILE"): ("yaml", ("file.yaml",)),
    ("monitor drill", "--config"): ("yaml", ("--config", "file.yaml")),
    ("monitor status", "--config"): ("yaml", ("--config", "file.yaml")),
    ("monitor report", "--config"): ("yaml", ("--config", "file.yaml")),
    ("monitor backtest", "--config"): ("yaml", ("run", "--config", "file.yaml")),
    ("monitor backtest", "--incidents"): ("yaml", ("--from", "good.csv", "--incidents", "file.yaml")),
    ("monitor backtest", "--from"): ("table", ("--from", "file.csv")),
    ("monitor backtest", "--from of JSON"): ("json", ("--from", "response time [s]=run/run.json")),
    ("monitor backtest", "RUN"): ("json", ("run",)),
    ("monitor history", "--state"): ("text", ("--state", "file.db")),
    ("monitor export", "--state"): ("text", ("--state", "file.db")),
    ("shard verify", "--checkpoint"): ("json", ("--checkpoint", "plan.json", "--config", "shards.yaml")),
}  # fmt: skip
ONCE = ("doctor PROFILE", "import FILES", "import --model", "budget check FILES", "budget check FILES of CSV",
        "report show RUN", "scale apply --plan", "scale simulate --trace", "scale simulate --trace of JSON",
        "scale size --from", "monitor backtest --from", "monitor backtest --from of JSON")  # fmt: skip
"""One for each reader: these meet every hostile content, with `make torture` all others do too."""
REFUSES_LATER = {
    "shard verify --checkpoint", "shard rebalance --plan", "cache warm --shards", "cache check --shards",
    "events rebuild --shards", "monitor history --state", "monitor export --state",
}  # fmt: skip
"""They reach their stores before they read it, or it is itself the store: 3."""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(tmp_path)
    Path("shards.yaml").write_text(
        "schema: dbz.shards/1\ncontrol: MONGODB_URI\nshards:\n  shard_0: MONGODB_URI\ncollections:\n  posts: club_id\n"
    )
    Path("good.csv").write_text("time,response time\n0,120\n10,130\n")
    Path("results.json").write_text("{}")
    with patch.dict(os.environ, {**NOWHERE, "DBZ_STATE_DIR": str(tmp_path / "state")}):
        yield
    os.chdir(before)


class Peak:
    """The highest memory of this process since it was begun, beyond what it had then; 0 where that is not told."""

    def __init__(self) -> None:
        self._before = 0
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
            self._before = self._kb("VmRSS")

    @property
    def mb(self) -> float:
        return (self._kb("VmHWM") - self._before) / 1000 if self._before else 0.0

    def _kb(self, name: str) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(name)).split()[1])


def _file_of(words: tuple[str, ...]) -> Path:
    given = [word.rpartition("=")[2] for word in words]
    names = ("file.yaml", "file.py", "file.csv", "file.log", "file.db", "plan.json", "run/run.json", "capacity.json")
    found = next((name for name in names if name in given), "run/run.json")
    path = Path(found)
    path.parent.mkdir(exist_ok=True)
    return path


EVERY = [(f"{key[0]} {key[1]}", name) for key, (form, _) in READS.items() for name in FORMS[form]]
CELLS = [cell for cell in EVERY if cell[0] in ONCE] + some([cell for cell in EVERY if cell[0] not in ONCE], 12)


@pytest.mark.parametrize(("reader", "name"), CELLS, ids=lambda part: part.replace(" ", "-"))
def test_a_hostile_file_is_refused(reader: str, name: str) -> None:
    (command, _), (form, words) = next((key, value) for key, value in READS.items() if f"{key[0]} {key[1]}" == reader)
    path = _file_of(words)
    FORMS[form][name](path)
    if path.name == "run.json":
        path.with_name("logs").mkdir()
    said_by([*command.split(), "--help"])  # what the command loads is loaded, and is not the file's
    peak, begun_s = Peak(), time.process_time()
    code, said = said_by([*command.split(), *words])
    told = [line for line in said.splitlines() if line.startswith("dbz: ")]
    assert code == ExitCode.USAGE or (reader in REFUSES_LATER and code == ExitCode.UNREACHABLE), (code, said[-500:])
    assert len(told) == 1 and "Traceback" not in said and len(said) < 40_000, said[-500:]
    assert peak.mb < MOST_MB, f"{peak.mb:.0f} MB for {said[:200]}"
    assert time.process_time() - begun_s < LONGEST_S


def test_every_parameter_that_names_a_file_is_tried() -> None:
    tried = {(command, parameter.split(" ")[0]) for command, parameter in READS}
    for command in every_command():
        for option, takes in command.options:
            if takes and option in (
                "--phases",
                "--budgets",
                "--shards",
                "--config",
                "--plan",
                "--trace",
                "--incidents",
            ):
                words = " ".join(command.words)
                assert (words, option) in tried or words == "serve", (words, option)  # its shards are a number
