"""One local cloud for the tests of a module: a cloud that goes on uses a good part of a core, whoever looks at it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cloud.clouds import CALM, RunningCloud, running_cloud


@pytest.fixture(scope="module")
def module_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    """Started when first needed."""
    with running_cloud(tmp_path_factory.mktemp("cloud"), "--cache-group", "dbz-cache", "--cache-nodes", "2") as cloud:
        yield cloud


@pytest.fixture
def cloud(module_cloud: RunningCloud) -> Iterator[RunningCloud]:
    """The module's cloud, calm before and after."""
    module_cloud.control(**CALM)
    yield module_cloud
    module_cloud.control(**CALM, forget_faults=True)
