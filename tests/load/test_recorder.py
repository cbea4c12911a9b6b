"""What a generator process records is what stands on disk, second by second."""

from dbz.measure.latency.series import HTTP, Series
from dbz.runs.storage.folder import RunFolder
from dbz.runs.storage.reading import read_record
from tests.load.recorders import recorder_in


def test_samples_and_errors_of_a_second_are_on_disk_when_it_is_over(tmp_path):
    with recorder_in(tmp_path) as recorder:
        recorder.success(HTTP, "GET /a, b", 0.010)
        recorder.success(HTTP, "GET /a, b", 0.020)
        recorder.failure(HTTP, "GET /a, b", 0.5, "HTTP 503")
        recorder.write({"users": 2})
        record = read_record(RunFolder(tmp_path))  # nobody has closed the files: a kill would lose nothing
    ok, failed = sorted(record.intervals, key=lambda interval: interval.series)
    assert (ok.series, len(ok.histogram)) == (Series(HTTP, "GET /a, b"), 2)
    assert abs(ok.histogram.mean_us() - 15_000) < 15
    assert (failed.series.failed, len(failed.histogram)) == (True, 1)
    (line,) = record.workers["worker-0"]
    assert (line["users"], line["errors"]) == (2, [[HTTP, "GET /a, b", "HTTP 503", 1]])


def test_users_of_a_network_are_part_of_the_whole_and_known_by_it(tmp_path):
    with recorder_in(tmp_path) as recorder:
        fed = []
        recorder.taken = lambda ok, failed, errors: fed.extend([*ok.items(), *failed.items(), *errors.items()])
        recorder.success(HTTP, "GET /", 0.010)
        recorder.tagged("3g").success(HTTP, "GET /", 0.300)
        recorder.tagged("3g", "game").failure(HTTP, "GET /", 0.5, "HTTP 503")
        recorder.write({"users": 2})
        record = read_record(RunFolder(tmp_path))
    rows = [(*one.tags, one.series.failed, len(one.histogram)) for one in record.intervals]
    assert sorted(rows) == [("", "", False, 1), ("3g", "", False, 1), ("3g", "game", True, 1)]
    assert {one.series.name for one in record.intervals} == {"GET /"}
    assert record.workers["worker-0"][0]["errors"] == [[HTTP, "GET /", "HTTP 503", 1]]
    assert len(fed) == 4, "Locust's statistics count all of them"


def test_each_sample_is_written_once(tmp_path):
    with recorder_in(tmp_path) as recorder:
        for _ in range(3):
            recorder.success(HTTP, "GET /", 0.001)
            recorder.write({"users": 1})
        record = read_record(RunFolder(tmp_path))
    assert [len(interval.histogram) for interval in record.intervals] == [1, 1, 1]
    starts = [interval.start_s for interval in record.intervals]
    assert starts == sorted(starts)


def test_absurd_durations_are_clamped_not_lost(tmp_path):
    with recorder_in(tmp_path) as recorder:
        for seconds in (-1.0, 1e9):
            recorder.success(HTTP, "GET /", seconds)
        recorder.write({"users": 1})
        record = read_record(RunFolder(tmp_path))
    assert [len(interval.histogram) for interval in record.intervals] == [2]


def test_a_flood_of_different_errors_is_counted_but_not_kept_apart(tmp_path):
    with recorder_in(tmp_path) as recorder:
        for number in range(1000):
            recorder.note_error(HTTP, "GET /", f"error {number}")
        recorder.write({"users": 1})
        record = read_record(RunFolder(tmp_path))
    errors = record.workers["worker-0"][0]["errors"]
    assert sum(count for *_, count in errors) == 1000
    assert len(errors) <= 201
