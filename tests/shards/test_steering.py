"""Moves that are told something while they run, held back from outside, vetoed, rehearsed, or only one of them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dbz.cli.shard.deployment import bytes_per_s
from dbz.cli.shard.holding import hook_of, throttled
from dbz.errors import UsageError
from dbz.report.words.shards_progress import outcome_document, standing_document
from dbz.shards.journal import State
from dbz.shards.move.mover import MoveOptions
from dbz.shards.move.progress import MovePhase, MoveTracker
from dbz.shards.move.steering import ControlSocket, MoveSteering, send_order
from dbz.shards.plan.document import PlannedMove, Request
from dbz.shards.plan.from_stores import plan_now
from tests.shards.moves import CLUBS, findings, working
from tests.shards.stores import World


def eventually(what: Callable[[], bool], within_s: float = 20.0) -> bool:
    end = time.monotonic() + within_s
    while not what() and time.monotonic() < end:
        time.sleep(0.02)
    return what()


@contextmanager
def moving(world: World, club: str, **options: Any) -> Iterator[tuple[MoveTracker, dict[str, Any]]]:
    """Move a club in a thread; the outcome is in the dictionary after the block."""
    tracker, found = MoveTracker(), dict[str, Any]()
    with working(world, tracker=tracker, **options) as (work, control, journal):
        source = control.map().shard_of(club)
        journal.add([PlannedMove(club, source, "shard_2", 0, 0)])
        thread = threading.Thread(target=lambda: found.update(outcome=work.run()))
        thread.start()
        yield tracker, found
        thread.join(60)
        found["map"] = control.map()


def test_orders_over_the_socket(tmp_path: Path) -> None:
    steering = MoveSteering(1e6, postpone=True)
    path = tmp_path / "s"
    with pytest.raises(UsageError, match="no rebalance runs here"):
        send_order(path, "status")
    with ControlSocket(path, steering, lambda: {"moves": 3}, bytes_per_s):
        assert send_order(path, "status") == {
            "ok": True,
            "paused": False,
            "held": "",
            "rate_bytes_per_s": 1e6,
            "switches_wait": True,
            "standing": {"moves": 3},
        }
        assert path.stat().st_mode & 0o777 == 0o600
        assert send_order(path, "pause")["paused"] and not steering.is_going
        assert not send_order(path, "resume")["paused"] and steering.is_going
        assert send_order(path, "rate 5MB/s")["rate_bytes_per_s"] == 5e6
        assert send_order(path, "rate unlimited")["rate_bytes_per_s"] is None
        for wrong in ("", "stop", "rate", "rate fast", "switch some", "x" * 5000, "rate \ud83c"):
            with pytest.raises(UsageError):
                send_order(path, wrong)
        send_order(path, "switch")
        assert steering.may_switch() and steering.claim_switch("m1") and not steering.claim_switch("m2")
        assert steering.claim_switch("m1"), "an order stays that of the move that took it"
        assert not steering.may_switch() and send_order(path, "switch all")["switches_wait"] is False
    assert not path.exists()


def test_a_postponed_club_is_followed_until_it_may_switch(adopted: World) -> None:
    steering = MoveSteering(None, postpone=True)
    with moving(adopted, CLUBS[0], steering=steering) as (tracker, found):
        assert eventually(lambda: _phase(tracker) == MovePhase.POSTPONED)
        source = adopted.deployment.shard("shard_0" if adopted.found(CLUBS[0], "shard_0")["posts"] else "shard_1")
        source["posts"].insert_one({"_id": "late", "club_id": CLUBS[0]})
        assert eventually(lambda: "late" in adopted.found(CLUBS[0], "shard_2")["posts"]), "it is followed meanwhile"
        assert json.dumps(standing_document(tracker.standing()))
        steering.obey("switch", bytes_per_s)
    assert [move.state for move in found["outcome"].done] == [State.REVERSING] and not steering.may_switch()
    assert findings(adopted) == []


def _phase(tracker: MoveTracker) -> MovePhase | None:
    current = tracker.standing().current
    return current.phase if current else None


def test_a_pause_holds_everything_and_resume_lets_it_go_on(adopted: World) -> None:
    steering = MoveSteering(None)
    steering.obey("pause", bytes_per_s)
    with moving(adopted, CLUBS[0], steering=steering) as (tracker, found):
        assert eventually(lambda: _phase(tracker) == MovePhase.WAITING)
        time.sleep(0.5)
        assert not found
        steering.obey("resume", bytes_per_s)
    assert found["outcome"].done


def test_a_rehearsal_copies_and_verifies_and_leaves_nothing(adopted: World) -> None:
    plan = plan_now(adopted.deployment, Request(add=("shard_2",)), None)
    with working(adopted, rehearse=True) as (work, control, _):
        before = control.map().document()
        work.begin(plan)
        outcome = work.run()
        assert len(outcome.rehearsed) == len(plan.moves) and not outcome.done and not outcome.failed
        assert control.map().document() == before, "no slot, no club and no epoch has changed"
        assert outcome_document(outcome, work._options.tracker.standing())["next_steps"] == [
            "dbz shard rebalance --yes"
        ]
    assert adopted.deployment.shard("shard_2")["posts"].count_documents({}) == 0
    with working(adopted) as (work, _, _):
        work.begin(plan)
        assert len(work.run().done) == len(plan.moves), "the same plan is carried out afterwards"
    assert findings(adopted) == []


@pytest.mark.parametrize("when", ["before-move", "before-switch"])
def test_a_hook_may_veto_before_and_is_told_after(adopted: World, when: str, tmp_path: Path) -> None:
    script = tmp_path / "hook.sh"
    script.write_text(
        f'#!/bin/sh\necho "$DBZ_HOOK $DBZ_CLUB $DBZ_TARGET" >> {tmp_path}/told\n'
        f'[ "$DBZ_CLUB" = {CLUBS[0]} ] && [ "$DBZ_HOOK" = {when} ] && {{ echo "a derby is on" >&2; exit 1; }}\nexit 0\n'
    )
    script.chmod(0o700)
    with moving(adopted, CLUBS[0], hook=hook_of(str(script))) as (_, found):
        pass
    (failed,) = found["outcome"].failed
    assert failed.state == State.ABORTED and failed.reason.endswith("a derby is on") and "vetoed" in failed.reason
    assert adopted.found(CLUBS[0], "shard_2")["posts"] == {}
    with moving(adopted, CLUBS[1], hook=hook_of(str(script))) as (_, found):
        pass
    assert found["outcome"].done and f"after-switch {CLUBS[1]} shard_2" in (tmp_path / "told").read_text()


def test_a_hook_that_cannot_run_is_a_veto(tmp_path: Path) -> None:
    move: Any = type("M", (), {"id": "m", "club": "c", "source": "a", "target": "b"})
    assert "cannot be run" in hook_of(str(tmp_path / "missing"))("before-move", move)
    assert hook_of("")("before-move", move) == "" and hook_of("false")("before-move", move) == "the hook ended with 1"
    with pytest.raises(UsageError, match="is not a command"):
        hook_of("echo '")


def test_a_url_and_a_query_hold_moves_back(adopted: World) -> None:
    status = [503]

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status[0])
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    jobs = adopted.deployment.shard("shard_0")["jobs"]
    jobs.insert_one({"_id": 1, "state": "running"})
    steering = MoveSteering(None)
    options = MoveOptions(steering=steering)
    try:
        with throttled(options, adopted.deployment, url, 'jobs:{"state": "running"}'):
            assert steering.held == "the throttle's URL answers 503" and not steering.is_going
            status[0] = 200
            assert eventually(lambda: "finds a document of 'jobs'" in steering.held, 5)
            jobs.delete_one({"_id": 1})
            assert eventually(lambda: steering.is_going, 5)
            server.shutdown()
            server.server_close()
            assert eventually(lambda: "cannot be asked" in steering.held, 10), "who does not answer does not say yes"
        assert steering.held == ""
    finally:
        server.server_close()
    for wrong in ("jobs", ":{}", "jobs:{"):
        with pytest.raises(UsageError, match="--throttle-query"), throttled(options, adopted.deployment, "", wrong):
            pass


def test_exactly_one_club_moves(adopted: World) -> None:
    adopted.fill({"heavy": 2000})
    plan = plan_now(adopted.deployment, Request(move={CLUBS[0]: "shard_1", CLUBS[2]: "shard_1"}), None)
    assert {move.club for move in plan.moves} <= {CLUBS[0], CLUBS[2]} and plan.shortfall and not plan.pin
    with pytest.raises(UsageError, match="goes without --add"):
        plan_now(adopted.deployment, Request(move={CLUBS[0]: "shard_1"}, drain=("shard_0",)), None)
    with pytest.raises(UsageError, match="there is no club 'nobody'"):
        plan_now(adopted.deployment, Request(move={"nobody": "shard_1"}), None)
    with pytest.raises(UsageError, match="the shard holds no clubs yet"):
        plan_now(adopted.deployment, Request(move={CLUBS[0]: "shard_2"}), None)
