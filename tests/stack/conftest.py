"""What the tests of the embedded stack share: a temporary folder that must end empty."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.children.processes import eventually


@pytest.fixture
def empty_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder for temporary files during the test, here and in subprocesses; it must be empty at the end."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert eventually(lambda: not list(folder.iterdir())), f"left behind: {list(folder.iterdir())}"
