"""Runs that the report tests share; making one takes longer than looking at it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbz.runs.storage.folder import RunFolder
from tests.runs.builder import Scene, build_run


@pytest.fixture(scope="session")
def passed(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run that keeps its budgets."""
    return build_run(tmp_path_factory.mktemp("reports"), Scene(seconds=12, warmup_s=4))


@pytest.fixture(scope="session")
def broken(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run with slow chat messages and failing requests."""
    scene = Scene(seconds=12, warmup_s=4, slow={"chat": 8}, failing={"GET /api/posts": 0.2})
    return build_run(tmp_path_factory.mktemp("reports"), scene)


@pytest.fixture
def copies(tmp_path: Path, broken: RunFolder) -> RunFolder:
    """A copy of the broken run that a test may change."""
    target = tmp_path / "reports" / broken.id
    target.mkdir(parents=True)
    for path in broken.path.iterdir():
        if path.is_file():
            (target / path.name).write_bytes(path.read_bytes())
    return RunFolder(target)
