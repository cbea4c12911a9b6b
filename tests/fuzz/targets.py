"""Everything of dbz that reads what somebody else has written: by name, with what it may raise and where to begin."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import orjson

from dbz.bring.files.opening import read_file as read_recording
from dbz.config.budgets import load_budgets
from dbz.config.grammar.conditions import parse_condition
from dbz.config.grammar.target_tracking import parse_target
from dbz.config.load.metrics import parse_metric_name
from dbz.config.load.profile import load_profile
from dbz.config.monitor.file import load_monitor
from dbz.config.monitor.incidents import load_incidents
from dbz.config.monitor.testing import load_monitor_tests
from dbz.config.phases.file import load_phases
from dbz.config.shards import load_shards
from dbz.config.warmup import load_warmup
from dbz.errors import DbzError
from dbz.load.generator.net.faults import TransportError
from dbz.load.generator.websocket.deflate import Inflater
from dbz.load.generator.websocket.frames import FrameReader
from dbz.measure.budget.budgets import parse_budget
from dbz.measure.budget.metrics import parse_selector
from dbz.measure.latency import interval_log
from dbz.monitor.replay.files import of_file
from dbz.protocols import graphql, json_path, socketio
from dbz.runs.capacity import load_capacity
from dbz.runs.imports.reading import read_file
from dbz.runs.storage.folder import RunFolder
from dbz.scaling.simulate.traces import read_traces
from dbz.targets.exposition import read_page
from dbz.units import parse_duration, parse_rate, parse_size
from tests.fuzz import seeds

_LARGEST_MESSAGE = 1_000_000


@dataclass(frozen=True)
class FuzzTarget:
    """One reader."""

    read: Callable[[bytes], object]
    seeds: Iterable[bytes]
    """Contents that it can read."""
    refuses: tuple[type[Exception], ...] = (DbzError,)
    """How it says that it cannot read something."""

    def try_out(self, content: bytes) -> None:
        """Read something; any other error than a refusal gets out."""
        with contextlib.suppress(*self.refuses):
            self.read(content)


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def _of_file(read: Callable[[Path], object], name: str) -> Callable[[bytes], object]:
    """A reader of files as one of contents."""

    def from_content(content: bytes) -> object:
        with tempfile.TemporaryDirectory(prefix="dbz-fuzz-", dir=_memory()) as folder:
            path = Path(folder, name)
            path.write_bytes(content)
            return read(path)

    return from_content


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def _config(load: Callable[[str], object], folder: str) -> FuzzTarget:
    return FuzzTarget(_of_file(lambda path: load(str(path)), "file.yaml"), seeds.of_configs(folder))


def _grammar(parse: Callable[[str], object], *examples: str) -> FuzzTarget:
    return FuzzTarget(
        lambda content: parse(_text(content)), [text.encode() for text in examples], (ValueError, DbzError)
    )


def _pairs(content: bytes) -> tuple[str, str]:
    first, _, second = _text(content).partition("|")
    return first, second


def _frames(content: bytes) -> None:
    reader = FrameReader(_LARGEST_MESSAGE, Inflater(keeps_context=True))
    for start in range(0, len(content), 7):
        reader.feed(content[start : start + 7])


def _packets(content: bytes) -> None:
    packet = socketio.parse(content)
    socketio.restore(packet.data, [b"attachment"] * min(packet.attachments, 10))


TARGETS = {
    "profile": _config(load_profile, "profiles"),
    "budgets": _config(load_budgets, "budgets"),
    "phases": _config(load_phases, "phases.yaml"),
    "shards": _config(partial(load_shards, environment={}), "shards.yaml"),
    "warmup": _config(load_warmup, "warmup.yaml"),
    "monitor": _config(load_monitor, "monitor.yaml"),
    "monitor tests": _config(load_monitor_tests, "monitor-test.yaml"),
    "incidents": FuzzTarget(_of_file(lambda path: load_incidents(str(path), 0.0), "incidents.yaml"), seeds.INCIDENTS),
    "recording": FuzzTarget(_of_file(read_recording, "recording"), seeds.recordings()),
    "results": FuzzTarget(_of_file(read_file, "results.json"), seeds.results()),
    "run.json": FuzzTarget(_of_file(lambda path: RunFolder(path.parent).load(), "run.json"), seeds.runs()),
    "capacity.json": FuzzTarget(_of_file(load_capacity, "capacity.json"), seeds.CAPACITIES),
    "trace": FuzzTarget(_of_file(lambda path: read_traces([path], 10.0, tasks=2), "trace.csv"), seeds.TRACES),
    "readings": FuzzTarget(_of_file(lambda path: of_file(str(path), "app", None), "readings.csv"), seeds.READINGS[:1]),
    "answers": FuzzTarget(
        _of_file(lambda path: of_file(f"response time [s]={path}", "app", None), "answers.json"), seeds.READINGS[1:]
    ),
    "metrics page": FuzzTarget(lambda content: read_page(content, lambda _name: True), seeds.PAGES, ()),
    "interval": FuzzTarget(lambda content: interval_log.parse(_text(content)), seeds.INTERVALS, (ValueError,)),
    "packet": FuzzTarget(_packets, seeds.PACKETS, (socketio.PacketError,)),
    "frames": FuzzTarget(_frames, seeds.FRAMES, (TransportError,)),
    "graphql": FuzzTarget(lambda content: graphql.operations_in(_text(content)), seeds.DOCUMENTS, (ValueError,)),
    "json path": FuzzTarget(lambda content: _find(*_pairs(content)), seeds.JSON_PATHS, (ValueError, DbzError)),
    "condition": _grammar(parse_condition, "CPU > 70% for 5 minutes", "active connections > 80% capacity"),
    "target": _grammar(parse_target, "CPU at 60%", "requests at 1000/min per task"),
    "budget": FuzzTarget(lambda content: _budget(*_pairs(content)), seeds.BUDGETS, (ValueError, DbzError)),
    "selector": _grammar(
        parse_selector, 'http{op="GET /api/posts"}', "delivery{event=chat}", 'http{op!="GET /media/*"}'
    ),
    "metric name": _grammar(parse_metric_name, 'cpu_seconds_total{app="api"}'),
    "duration": _grammar(parse_duration, "1m30s", "500ms", "2h"),
    "rate": _grammar(parse_rate, "100/s", "5/m"),
    "size": _grammar(parse_size, "4GB", "512 KiB"),
}


def _find(path: str, tree: str) -> object:
    return json_path.find(path, orjson.loads(tree or "null"))


def _budget(of: str, limit: str) -> object:
    return parse_budget("budget", of, "p95", limit)
