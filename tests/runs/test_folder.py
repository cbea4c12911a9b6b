"""Run folders: making, finding, saving and loading them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dbz.errors import UsageError
from dbz.runs.schema import Run, RunVerdict
from dbz.runs.storage.folder import RunFolder, create_run_folder, find_run, list_runs, new_run_id
from tests.runs.builder import STARTED, Scene, build_run

NOBODY = 65534


@contextmanager
def unprivileged() -> Iterator[None]:
    """Root may write anywhere; what is about permissions must not be done as root."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


def save(reports: Path, run_id: str) -> RunFolder:
    folder = create_run_folder(reports, run_id)
    folder.save(Scene().run(run_id))
    return folder


def test_ids_sort_by_time_and_name_the_profile() -> None:
    first, later = new_run_id("mixed", STARTED), new_run_id("mixed", STARTED + timedelta(seconds=1))
    assert first < later
    assert first.startswith("20261123T065450Z-mixed-")


def test_two_runs_of_one_second_have_different_ids() -> None:
    assert len({new_run_id("api", STARTED) for _ in range(20)}) > 1


@pytest.mark.parametrize("profile", ["../../etc", "http://localhost:80/?a=b", "", "…", "x" * 300, "a b\n"])
def test_an_id_is_a_plain_folder_name_whatever_the_profile_is_called(profile: str) -> None:
    run_id = new_run_id(profile, datetime.now(UTC))
    assert Path(run_id).name == run_id
    assert len(run_id) < 64 and not run_id.startswith(".")


def test_a_new_folder_is_empty_but_for_its_logs(tmp_path: Path) -> None:
    folder = create_run_folder(tmp_path / "reports", "run")
    assert [path.name for path in folder.path.iterdir()] == ["logs"]


def test_a_reports_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("in the way")
    with pytest.raises(UsageError, match=r"cannot write the report to .*reports.run: Not a directory") as refused:
        create_run_folder(tmp_path / "reports", "run")
    assert refused.value.hint == "choose another --out"


def test_a_read_only_reports_folder_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    refused = pytest.raises(UsageError, match=r"cannot write the report to .*: Permission denied")
    with unprivileged(), refused:
        create_run_folder(tmp_path, "run")


def test_a_full_disk_is_named_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_path: Path, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UsageError, match=r"the disk is full"):
        create_run_folder(tmp_path, "run")


def test_a_run_is_found_by_path_id_prefix_and_as_the_latest(tmp_path: Path) -> None:
    save(tmp_path, "20261101T000000Z-api-aaaa")
    newest = save(tmp_path, "20261102T000000Z-api-bbbb")
    for name in (str(newest.path), newest.id, "20261102", "latest"):
        assert find_run(tmp_path, name).path == newest.path
    assert [run.id[:8] for run in list_runs(tmp_path)] == ["20261101", "20261102"]


def test_an_exact_id_wins_over_longer_ones_that_begin_with_it(tmp_path: Path) -> None:
    save(tmp_path, "night")
    save(tmp_path, "night-2")
    assert find_run(tmp_path, "night").id == "night"


def test_a_prefix_of_several_runs_names_them(tmp_path: Path) -> None:
    save(tmp_path, "20261101-a")
    save(tmp_path, "20261101-b")
    with pytest.raises(UsageError, match=r"names 2 runs: 20261101-a, 20261101-b"):
        find_run(tmp_path, "2026")


def test_an_unknown_run_names_the_newest(tmp_path: Path) -> None:
    save(tmp_path, "20261101-a")
    with pytest.raises(UsageError, match=r"no run 'zzz' in .*; the newest is 20261101-a") as missing:
        find_run(tmp_path, "zzz")
    assert missing.value.hint == "dbz report list"


@pytest.mark.parametrize("name", ["latest", "20261101"])
def test_without_any_run_that_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"there are no runs in"):
        find_run(tmp_path / "none", name)


def test_a_run_survives_its_file(tmp_path: Path) -> None:
    folder = build_run(tmp_path, Scene(failing={"GET /api/posts": 0.2}))
    run = folder.load()
    assert Run.model_validate_json(run.to_json()) == run
    folder.save(run)
    assert folder.load() == run
    assert '"schema": "dbz.run/1"' in folder.run_json.read_text()
    assert not list(folder.path.glob("*.new"))


def test_unknown_fields_of_a_later_dbz_are_ignored(tmp_path: Path) -> None:
    folder = save(tmp_path, "run")
    folder.run_json.write_text(folder.run_json.read_text().replace('{\n "schema"', '{\n "moon": 1,\n "schema"'))
    assert folder.load().verdict is RunVerdict.RUNNING


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "damaged"),
        ("[]", "damaged"),
        ("\udcff", "damaged"),
        ('{"schema": "other/9"}', "schema is 'other/9', this dbz reads 'dbz.run/1'"),
        ('{"schema": "dbz.run/1"}', "damaged: id: Field required"),
    ],
)
def test_a_damaged_run_is_refused(tmp_path: Path, text: str, says: str) -> None:
    folder = save(tmp_path, "run")
    folder.run_json.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UsageError, match=says):
        folder.load()


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is not a run: it has no run.json"):
        RunFolder(tmp_path).load()


def test_a_run_json_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.json").mkdir()
    with pytest.raises(UsageError, match=r"cannot read .*: Is a directory"):
        RunFolder(tmp_path).load()


def test_the_title_names_profile_and_start() -> None:
    assert Scene().run("x").title == "mixed, 2026-11-23 06:54:50 UTC"
