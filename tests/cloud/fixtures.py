"""One local cloud for the whole session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cloud.clouds import CALM, RunningCloud, running_cloud


@pytest.fixture(scope="session")
def session_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    """Started when first needed."""
    with running_cloud(tmp_path_factory.mktemp("cloud"), "--cache-group", "dbz-cache", "--cache-nodes", "2") as cloud:
        yield cloud


@pytest.fixture
def cloud(session_cloud: RunningCloud) -> Iterator[RunningCloud]:
    """The session's cloud, calm before and after."""
    session_cloud.control(**CALM)
    yield session_cloud
    session_cloud.control(**CALM, forget_faults=True)
