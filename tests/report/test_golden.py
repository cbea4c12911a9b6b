"""Every report format against its golden file; `python -m tests.report.golden` makes them again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.report.golden import FOLDER, golden_reports
from tests.report.test_terminal import plain_environment  # noqa: F401 used as a fixture


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return golden_reports(tmp_path_factory.mktemp("golden"))


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.iterdir()))
def test_a_report_is_as_it_was(reports: dict[str, str], name: str) -> None:
    assert reports[name] == Path(FOLDER / name).read_text(encoding="utf-8")


def test_every_report_has_a_golden_file(reports: dict[str, str]) -> None:
    assert set(reports) == {path.name for path in FOLDER.iterdir()}
