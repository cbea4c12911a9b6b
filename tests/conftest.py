"""Servers that several folders of tests share; each starts when a test first asks for it."""

import contextlib
import gc
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests import cpu
from tests.children import forkserver, warm
from tests.cloud.fixtures import cloud, module_cloud
from tests.shards.stores import shard_folder, shard_uris
from tests.whole import WHOLE

__all__ = ["cloud", "module_cloud", "shard_folder", "shard_uris"]

# What programs print in tests does not depend on the terminal, or the runner, that the tests are started from.
os.environ.pop("COLUMNS", None)

# With this jsonschema would check IRIs, which no test asks it for here: building the grammars takes a second of CPU in
# every process that collects tests.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

# How fast an example runs says something of the machine, and nothing of the code. The same examples each time, so that
# a change is judged by what it changed: `HYPOTHESIS_PROFILE=search` looks for new ones.
_ANY_MACHINE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("dbz", _ANY_MACHINE, derandomize=True, max_examples=60 if WHOLE else 25)
settings.register_profile("search", _ANY_MACHINE, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dbz"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """An option that says what the tests cost."""
    parser.addoption("--cpu-report", type=int, metavar="N", help="list the N files of tests that took most CPU")


def pytest_configure(config: pytest.Config) -> None:
    """Measure if that is asked for: with xdist in the processes that run tests, and add up in the one that prints."""
    files = config.getoption("--cpu-report")
    if files is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(cpu.Summary(files))
    if files is not None and not config.getoption("numprocesses", None):
        config.pluginmanager.register(cpu.Meter())
    if not WHOLE:
        warm.install()
    if hasattr(config, "workerinput"):
        forkserver.inherit(config.workerinput[_FORKSERVERS])


_FORKSERVERS = "forkservers"


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell each process that is to run tests where programs are forked, for all of them in one place.

    Who asks what tests cost has each fork its own: only what it started itself is counted.
    """
    alone = WHOLE or node.config.getoption("--cpu-report") is not None
    node.workerinput[_FORKSERVERS] = {} if alone else forkserver.shared()


# Thousands of tests are collected in each process, and all of them stay: nothing of it is garbage, nor ever will be.
gc.disable()


def pytest_collection_finish() -> None:
    """From here on garbage is collected, without looking through what is here already."""
    gc.freeze()
    gc.enable()


_HERE = Path(__file__).parent
_QUICK = ("config", "measure", "report", "runs", "imports", "targets")
"""Folders whose files take seconds."""


_LONG = (
    *(
        "server/test_step_functions",
        "cli/pages/test_documented_loop",
        "cli/load/test_load",
        "cli/load/test_never_green",
    ),
    *("server/test_sagas", "cli/load/test_load_scenario_code", "scaling/test_applying", "server/test_real_clients"),
    *("shards/test_undoing", "cli/shard/test_shard", "shards/test_shapes", "cli/load/test_load_distributed"),
    *("shards/test_torture", "cli/load/test_capacity", "shards/test_moving", "cache/test_warm_ends"),
    *("cli/serve/test_serve", "cli/pages/test_documented_start", "cli/load/test_load_pages", "cli/test_events"),
    *("shards/test_parallel", "scaling/test_afternoon", "cloud/test_cloud", "cli/scale/test_scale"),
    *("load/test_locust_agreement", "runs/imports/test_any_file", "shards/test_balance", "shards/test_estimate"),
    *("stack/test_stack", "cli/serve/test_serve_cloud", "children/test_safe_path", "monitor/test_watching"),
    *("cli/load/test_recorded_chats", "cli/pages/test_documented_scenarios", "cli/test_output"),
    *("server/push/test_kills", "cli/test_odd_arguments", "cli/cache/test_cache_measure", "server/band/test_sync"),
    *("cli/load/test_baseline", "cache/test_warm_faults", "doctor/test_doctor", "shards/test_steering"),
    *("server/test_faults", "scaling/test_daemon", "cli/scale/test_scale_lease", "runs/test_past"),
)
"""Files that take half a minute or more on a busy machine, the longest first."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first and quick ones last: with several processes these fill the time while the last is at work."""
    place = {_HERE / f"{name}.py": number for number, name in enumerate(_LONG)}
    items.sort(key=lambda item: (place.get(item.path, len(place)), item.path.parent.name in _QUICK))


_TOOK_ITS_PROCESS_DOWN = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Note which test each process is at: xdist gives one that took its process down to the next, and so for ever."""
    session = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"alone-{os.getpid()}")
    begun = Path(tempfile.gettempdir(), f"tests-{session}", hashlib.sha256(item.nodeid.encode()).hexdigest())
    item.stash[_TOOK_ITS_PROCESS_DOWN] = begun.exists()
    _touch(begun)
    try:
        return (yield)
    finally:
        begun.unlink()
        with contextlib.suppress(OSError):
            begun.parent.rmdir()


def _touch(file: Path) -> None:
    """Make an empty file in a folder that another process may be removing just now, because it was empty."""
    while True:
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            file.parent.mkdir(exist_ok=True)
            return file.touch()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail what took its process down when it was run before."""
    if item.stash[_TOOK_ITS_PROCESS_DOWN]:
        pytest.fail("took its process down: it hung, or crashed", pytrace=False)
