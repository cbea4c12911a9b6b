"""The view of a running rebalance: on a screen of any size, as lines of text, and as JSON."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from dbz.report.terminal.shards.moves import MoveLines, TextLines, moves_screen, moves_view
from dbz.report.words.shards_progress import outcome_document, outcome_texts, paused_text, standing_line
from dbz.shards.journal import Move, State
from dbz.shards.move.progress import Current, Ended, MovePhase, MoveStanding, MoveTracker
from dbz.shards.move.rebalance import MoveOutcome
from dbz.shards.move.throttle import Slowed

MOVE = Move("m0002", "club07", "shard_0", "shard_2", 100, 36_000_000)
DONE = replace(MOVE, id="m0001", club="club03", state=State.REVERSING, block_ms=41.2)
LOST = replace(MOVE, id="m0003", club="club09", state=State.ABORTED, reason="no room")
NOW = MoveStanding(
    elapsed_s=75.0,
    moves=3,
    ended=(Ended(DONE, 12.0, 12_000_000, 3.5),),
    bytes_done=16_100_000,
    bytes_total=60_000_000,
    copy_bytes_per_s=2_015_446.9,
    left_s=95.0,
    left_between_s=(64.0, 133.0),
    slowed=Slowed(8e6, "shard_2", 14.2, 4.0, 9.0),
    slowed_s=12.0,
    current=Current(MOVE, MovePhase.COPYING, 4_100_000, 36_000_000, 34, 2.1, 40.0),
    remark="",
)


def drawn(now: MoveStanding, width: int, height: int = 24, *, stopping: bool = False) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=width, height=height, color_system=None)
    console.print(moves_screen(now, console, stopping=stopping))
    return stream.getvalue()


def test_at_80_columns_everything_is_there() -> None:
    text = drawn(NOW, 80)
    for words in (
        "1 of 3 clubs, 16.1 MB of 60 MB, 1m04s–2m13s left",
        "club07, shard_0 → shard_2",
        "4.1 MB of 36 MB, 2.02 MB/s, 40 s left",
        "2.1 s, 34 changed documents to bring over",
        "slowed down to 8 MB/s: shard_2 answers in 14.2 ms instead of 4 ms",
        "m0001  club03  is on shard_2 now; its writes were held 41 ms",
        "Ctrl-C pauses",
    ):
        assert words in text
    assert "Pausing" in drawn(NOW, 80, stopping=True)


@pytest.mark.parametrize("width", [12, 20, 40, 60, 80, 200])
@pytest.mark.parametrize("height", [5, 10, 24])
def test_no_line_is_wider_than_the_terminal_and_ended_moves_are_cut_to_its_height(width: int, height: int) -> None:
    many = replace(NOW, ended=tuple(Ended(DONE, 1.0, 1, 0.0) for _ in range(100)), remark="x" * 300)
    lines = drawn(many, width, height).splitlines()
    assert max(len(line) for line in lines) <= width
    assert len(lines) <= max(height, 16)


def test_a_plain_line_fits_80_columns() -> None:
    line = standing_line(replace(NOW, left_between_s=None))
    assert line == "1m15s  1/3 clubs, 1m35s left; club07 copying 11%, 2.02 MB/s, lag 2.1 s (34 docs)"
    assert len(line) <= 80
    ranged = standing_line(NOW)
    assert "1/3 clubs, 1m04s–2m13s left; " in ranged and len(ranged) <= 80


def test_lines_become_rarer_and_each_move_is_told_once() -> None:
    stream = io.StringIO()
    lines = TextLines(stream)
    for second in range(24 * 3600):
        lines.update(replace(NOW, elapsed_s=float(second)), stopping=second > 80_000)
    told = stream.getvalue().splitlines()
    assert sum("is on shard_2 now" in line for line in told) == 1
    assert sum("Pausing" in line for line in told) == 1
    assert 100 < len(told) < 2 * 170, "one about where it stands, one about why it is slow"


def test_the_lines_of_many_moves_are_bounded_but_a_failure_is_always_told() -> None:
    stream = io.StringIO()
    ended = [Ended(replace(DONE, id=f"m{number:04d}"), 0.1, 1, 0.0) for number in range(500)]
    now = replace(NOW, moves=501, ended=(*ended, Ended(LOST, 0.1, 0, 0.0)))
    TextLines(stream).update(now, stopping=False)
    told = stream.getvalue().splitlines()
    assert sum("is on shard_2 now" in line for line in told) == 50
    assert "m0003  club09  stays on shard_0: no room" in told


def test_a_remark_is_written_once() -> None:
    stream = io.StringIO()
    lines = TextLines(stream)
    for _ in range(3):
        lines.update(replace(NOW, elapsed_s=0.1, ended=(), remark="trying again"), stopping=False)
    assert stream.getvalue() == "club07: trying again\n"


def test_json_lines_say_everything() -> None:
    stream = io.StringIO()
    MoveLines(stream).update(NOW, stopping=True)
    found = json.loads(stream.getvalue())
    assert found["schema"] == "dbz.shard-progress/1" and found["pausing"]
    assert (found["moves"], found["moves_done"], found["left_s"]) == (3, 1, 95.0)
    assert (found["move"]["lag_s"], found["move"]["lag_changes"], found["move"]["left_s"]) == (2.1, 34, 40.0)
    assert found["slowed"]["limit_bytes_per_s"] == 8_000_000


def test_without_a_terminal_lines_are_written_while_the_work_goes_on() -> None:
    stream = io.StringIO()
    tracker = MoveTracker()
    with moves_view(tracker, lambda: False, as_json=False, stream=stream):
        tracker.begin([MOVE])
        tracker.enter(MOVE, MovePhase.SWITCHING)
        tracker.ended(replace(DONE, id=MOVE.id))
    assert stream.getvalue() == "m0002  club03  is on shard_2 now; its writes were held 41 ms\n"


def test_what_became_of_it_is_told_as_text_and_as_json() -> None:
    now = replace(NOW, ended=(*NOW.ended, Ended(LOST, 1.0, 0, 0.0)), current=None)
    outcome = MoveOutcome([DONE], [LOST])
    assert outcome_texts(outcome, now) == [
        "1 club moved, 1 given up, 12 MB copied in 1m15s; writes of a club were held 41 ms at most.",
        "Copying gave way to the app for 12 s of 1m15s, while shards answered late.",
        "Old copies stay for dbz shard rollback until dbz shard clean; dbz shard verify compares them.",
    ]
    found = outcome_document(outcome, now)
    assert (found["schema"], found["moves_left"], found["slowed_s"]) == ("dbz.shard-rebalance/1", 1, 12.0)
    assert (
        paused_text(NOW) == "paused: 2 of 3 clubs are not moved yet, club07 is partly copied; the app goes on as it is"
    )
