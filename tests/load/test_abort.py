"""When a run is stopped for a budget that it keeps breaking."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dbz.load.abort import AbortWatch
from dbz.load.run import is_over
from dbz.measure.budget.budgets import parse_budget
from dbz.runs.storage.reading import Record, read_record
from tests.runs.builder import Scene


def growing(whole: Record) -> Iterator[Record]:
    """The record as it was after each second."""
    for second in range(1, int(whole.last_s) + 1):
        yield Record(
            intervals=[one for one in whole.intervals if one.start_s < second],
            workers={name: [line for line in lines if line["t"] <= second] for name, lines in whole.workers.items()},
            server=[line for line in whole.server if line["t"] <= second],
            marks={name: t for name, t in whole.marks.items() if t <= second},
        )


def stopped_at(tmp_path: Path, scene: Scene, **terms: str) -> tuple[float, str]:
    """The second at which the watch stops a run, and why; 0 when it does not."""
    watch = AbortWatch([parse_budget("it", "delivery{event=chat}", "p95", "< 100ms", **terms)])
    for record in growing(read_record(scene.write(tmp_path))):
        reason = watch.update(record)
        if reason:
            return record.last_s, reason
    return 0, ""


SLOW = Scene(seconds=24, warmup_s=2, workers=1, server=False, slow={"chat": 8})


def test_a_run_that_keeps_breaking_a_budget_is_stopped_after_that_time(tmp_path: Path) -> None:
    at_s, reason = stopped_at(tmp_path, SLOW, abort_after="6s")
    assert at_s == 2 + 5 + 6  # the warm-up, the first stretch, and six seconds of breach
    assert reason.startswith("stopped early, broken for 6 s on end: it: p95 of delivery{")


def test_the_stretch_is_the_budgets_window_and_begins_after_what_is_left_out(tmp_path: Path) -> None:
    assert stopped_at(tmp_path, SLOW, abort_after="6s", window="3s", after="4s")[0] == 2 + 4 + 3 + 6


def test_a_run_that_holds_goes_on(tmp_path: Path) -> None:
    good = Scene(seconds=16, warmup_s=2, workers=1, server=False)
    assert stopped_at(tmp_path, good, abort_after="2s") == (0, "")


def test_without_abort_after_nothing_is_stopped(tmp_path: Path) -> None:
    assert stopped_at(tmp_path, SLOW) == (0, "")


def test_silence_does_not_end_a_breach(tmp_path: Path) -> None:
    whole = read_record(SLOW.write(tmp_path))
    whole.intervals = [one for one in whole.intervals if one.start_s < 9]
    watch = AbortWatch([parse_budget("it", "delivery{event=chat}", "p95", "< 100ms", abort_after="10s")])
    assert next(record.last_s for record in growing(whole) if watch.update(record)) == 2 + 5 + 10


def lines(*seconds: float) -> list[dict[str, float]]:
    return [{"t": second} for second in seconds]


def test_a_generator_that_writes_nothing_more_is_over_but_not_one_that_is_still_starting() -> None:
    starting = Record(workers={"worker-0": []})
    assert not is_over(starting, 60.0)
    going = Record(workers={"worker-0": lines(1, 2), "worker-1": lines(1, 2, 3)}, marks={"steady": 2.0})
    assert not is_over(going, 12.9) and is_over(going, 13.1)
    ended = Record(workers={"worker-0": lines(1, 30)}, marks={"steady": 2.0, "end": 12.0})
    assert not is_over(ended, 31.9) and is_over(ended, 32.1)
