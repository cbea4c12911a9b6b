"""Moves that are hit at every state by every fault, while clients write and a ledger outside the stores keeps count.

A fault strikes at an exact instant: just before, or just after, the journal writes a state; or the connections to a
store are cut at the n-th message from that instant on. Whatever happened, running the move again must finish it,
nothing that was acknowledged may be missing, nothing may be there twice, and no fence may stay.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo.errors import PyMongoError

from dbz.children import Child, free_port
from dbz.errors import DbzError
from dbz.shards.control import Control
from dbz.shards.deployment import Deployment
from dbz.shards.journal import UNFINISHED, Move, MoveJournal, State
from dbz.shards.lease import hold_lease
from dbz.shards.map import ShardMap
from dbz.shards.move.mover import MoveOptions
from dbz.shards.move.rebalance import Rebalance
from dbz.shards.move.schedule import Parallelism
from dbz.shards.plan.adoption import adopt
from dbz.shards.plan.document import PlannedMove
from tests.server.backend import mongo_uri, start_mongo
from tests.shards.moves import CLUBS, findings
from tests.shards.proxy import Proxy
from tests.shards.stores import make_world
from tests.shards.writers import writing

STATES = (
    State.COPYING,
    State.TAILING,
    State.VERIFIED,
    State.FENCED,
    State.DRAINED,
    State.FLIPPED,
    State.REVERSING,
)
FAULTS = ("kill dbz", "kill source", "kill target", "cut source", "cut target")
_FENCE_S = 3.0
"""Six writes to stores that sync each of them must fit into it, on a machine that does other things too."""
_STRUCK_WITHIN_S = 60.0
_FINISHED_WITHIN_S = 400.0
"""dbz gives a move up by itself when it cannot hold the writes short enough; on a busy machine that takes a minute."""
_SEVERAL_EVERY = 4
"""One round in so many moves three clubs at the same time."""
_spawn = multiprocessing.get_context("forkserver")
_spawn.set_forkserver_preload(["tests.shards.torture"])


@dataclass(frozen=True)
class Blow:
    """What happens, and when: around the journal's writing of `state`, for a cut so many messages later."""

    fault: str
    state: State
    before: bool
    message: int

    def __str__(self) -> str:
        when = "before" if self.before else "after"
        later = f", {self.message} messages later" if self.cuts else ""
        return f"{self.fault} {when} {self.state}{later}"

    @property
    def cuts(self) -> bool:
        """Whether connections are cut; else a process is killed."""
        return self.fault.startswith("cut")


@dataclass(frozen=True)
class Round:
    """What became of a round: whether it was hit, where its moves ended, how often and for how long they ran again."""

    blow: Blow
    what: str
    struck: bool
    states: tuple[State, ...]
    tries: int
    seconds: float

    def __str__(self) -> str:
        missed = "" if self.struck else " (came too late)"
        return f"{self.blow}{missed}: {self.what}, {', '.join(self.states)} after {self.tries} more runs"


class Summary:
    """Rounds by state and fault, printed whatever happened."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rounds: list[Round] = []
        self.hit: Blow | None = None

    def too_few(self) -> list[str]:
        """What is to be said when hardly any move switched over, or was hit: then little was tried."""
        switched = sum(set(one.states) == {State.REVERSING} for one in self.rounds)
        struck, count = sum(one.struck for one in self.rounds), len(self.rounds)
        return (
            []
            if min(switched, struck) >= count / 2
            else [f"{switched} of {count} rounds switched over, {struck} were hit"]
        )

    def lines(self, ledger: Any, wrong: list[str] | None) -> list[str]:
        """The table, what was written meanwhile, and the verdict."""
        counts = Counter((one.blow.fault, one.blow.state) for one in self.rounds if one.struck)
        width = max(len(fault) for fault in FAULTS)
        table = [f"{'':{width}}" + "".join(f"{state:>11}" for state in STATES)]
        table += [f"{fault:{width}}" + "".join(f"{counts[fault, state]:11}" for state in STATES) for fault in FAULTS]
        ended = Counter(str(state) for one in self.rounds for state in one.states)
        again = sum(one.tries for one in self.rounds)
        slowest = max((one.seconds for one in self.rounds), default=0.0)
        how = ", ".join(f"{count} {state}" for state, count in ended.items())
        verdict = "nothing lost, doubled, misplaced or held"
        if wrong is None:
            verdict = f"FAILED at round {len(self.rounds) + 1} ({self.hit})"
        elif wrong:
            verdict = f"FAILED: {len(wrong)} findings"
        writes = (
            f"{ledger.writes:,} acknowledged writes of {len(ledger.acknowledged):,} documents checked; "
            f"{ledger.failed:,} writes failed, {ledger.refused:,} were held too long, "
            f"{len(ledger.uncertain):,} documents uncertain"
        )
        return [
            *table,
            f"{sum(one.struck for one in self.rounds)} faults struck in {len(self.rounds)} rounds, seed {self.seed}",
            f"moves: {how}; run again {again} times, for {slowest:.1f} s at most",
            writes,
            verdict if wrong == [] else f"{verdict}; again with DBZ_TORTURE_SEED={self.seed}",
        ]


def blows(seed: int) -> Iterator[Blow]:
    """Every state with every fault in random order, again and again."""
    rng = random.Random(seed)
    while True:
        matrix = list(itertools.product(FAULTS, STATES, (True, False)))
        rng.shuffle(matrix)
        for fault, state, before in matrix:
            yield Blow(fault, state, before, rng.randrange(6))


class _Trap(MoveJournal):
    """The real journal, with a fault at one instant."""

    def __init__(self, control: Any, lease: int, blow: Blow, strike: Callable[[], None]) -> None:
        super().__init__(control, lease)
        self._blow = blow
        self._strike = strike

    def advance(self, move: Move, state: State | None = None, **fields: Any) -> Move:
        hit = state == self._blow.state
        if hit and self._blow.before:
            self._once()
        done = super().advance(move, state, **fields)
        if hit and not self._blow.before:
            self._once()
        return done

    def _once(self) -> None:
        strike, self._strike = self._strike, lambda: None
        strike()


def _move(
    file: Any, environment: dict[str, str], blow: Blow | None, pids: dict[str, int], cut: Signals, diary: Path
) -> None:
    """A process that carries out what is to be done; `blow` strikes it, or a store, on the way."""

    def told(what: object) -> None:
        with diary.open("a") as lines:
            lines.write(f"{time.monotonic():.1f} {what}\n")

    def strike() -> None:
        assert blow is not None
        if blow.cuts:
            cut.due.set()
            cut.armed.wait(5)
        else:
            os.kill(os.getpid() if blow.fault == "kill dbz" else pids[blow.fault.split()[1]], signal.SIGKILL)

    with ExitStack() as stack:
        stack.enter_context(_telling(told))
        deployment = stack.enter_context(Deployment(file, environment, timeout_s=1.0))
        control = stack.enter_context(Control(deployment))
        lease = stack.enter_context(hold_lease(control.database))
        journal = _Trap(control.database, lease, blow, strike) if blow else MoveJournal(control.database, lease)
        options = MoveOptions(
            rate_bytes_per_s=None,
            max_fence_s=_FENCE_S,
            parallel=Parallelism(3, 2),
            told=lambda move, what: told(f"{move.id}: {what}"),
        )
        Rebalance(deployment, control, journal, options).run()


@contextmanager
def _telling(told: Callable[[object], None]) -> Iterator[None]:
    """Write down what a user would be told; anything else is a defect."""
    try:
        yield
    except (DbzError, PyMongoError) as error:
        told(repr(error))


def _anywhere(shard_map: ShardMap, club: str, rng: random.Random) -> PlannedMove:
    source = shard_map.shard_of(club)
    return PlannedMove(club, source, rng.choice([name for name in shard_map.shards if name != source]), 0, 0)


class Signals:
    """Between the process that moves and the one that holds the proxies: a cut is due, and it is armed."""

    def __init__(self) -> None:
        self.due = _spawn.Event()
        self.armed = _spawn.Event()


class Arena:
    """Three stores that are killed and started again, proxies before them, and clubs that are written all the time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.diary = folder / "diary.txt"
        self.ports = [free_port() for _ in range(3)]
        self.stores: list[Child] = []
        self.proxies = [Proxy(port) for port in self.ports]
        for number in range(3):
            (folder / str(number)).mkdir()
            self.stores.append(self._start(number))
        self.world = make_world(folder, [mongo_uri(port) for port in self.ports], "torture", shard_count=3)
        proxied = {f"TEST_SHARD_{at}": mongo_uri(proxy.port) for at, proxy in enumerate(self.proxies)}
        self.environment = proxied

    def _start(self, number: int) -> Child:
        return start_mongo(self.folder / str(number), self.ports[number], "--sync-on-commit")

    def revive(self) -> None:
        """Start the stores that were killed."""
        for number, store in enumerate(self.stores):
            if store.exit_code is not None:
                store.stop()
                self.stores[number] = self._start(number)

    def close(self) -> None:
        """End everything."""
        self.world.deployment.__exit__(None, None, None)
        for proxy in self.proxies:
            proxy.close()
        for store in self.stores:
            store.interrupt(signal.SIGKILL)
            store.stop()

    def round(self, blow: Blow, rng: random.Random, clubs: int) -> Round:
        """Moves of so many clubs beside each other, with one blow meant for the first, to their end."""
        with Control(self.world.deployment) as control, hold_lease(control.database) as lease:
            planned = [_anywhere(control.map(), club, rng) for club in rng.sample(CLUBS, clubs)]
            moves = MoveJournal(control.database, lease).add(planned)
        at = {"source": int(moves[0].source[-1]), "target": int(moves[0].target[-1])}
        pids = {side: self.stores[number].pid for side, number in at.items()}
        proxy = self.proxies[at.get(blow.fault.split()[1], 0)]
        struck = self._run(blow, pids, proxy, _STRUCK_WITHIN_S)
        proxy.cut_after(None)
        self.revive()
        begin = time.monotonic()
        tries, states = zip(*(self._finish(move.id) for move in moves), strict=True)
        what = ", ".join(f"{move.club} {move.source} → {move.target}" for move in moves)
        return Round(blow, what, struck, states, max(tries), time.monotonic() - begin)

    def _run(self, blow: Blow | None, pids: dict[str, int], proxy: Proxy, within_s: float) -> bool:
        """Run until all is done, or for so long; whether the blow struck."""
        cut, cuts_before, killed = Signals(), proxy.cuts, False
        process = _spawn.Process(
            target=_move,
            args=(self.world.deployment.file, self.environment, blow, pids, cut, self.diary),
            daemon=True,
        )
        process.start()
        end = time.monotonic() + within_s
        while process.is_alive() and time.monotonic() < end:
            process.join(0.02)
            if blow and cut.due.is_set() and not cut.armed.is_set():
                proxy.cut_after(blow.message)
                cut.armed.set()
            if any(store.exit_code is not None for store in self.stores):
                killed = True
                time.sleep(0.1)
                self.revive()
        killed |= any(store.exit_code is not None for store in self.stores) or process.exitcode == -signal.SIGKILL
        process.kill()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL), "an error that no user may see"
        return killed or proxy.cuts > cuts_before

    def _finish(self, move_id: str) -> tuple[int, State]:
        end = time.monotonic() + _FINISHED_WITHIN_S
        for tries in itertools.count():
            with suppress(DbzError, PyMongoError), Control(self.world.deployment) as control:
                if (state := MoveJournal(control.database).get(move_id).state) not in UNFINISHED:
                    return tries, state
            assert time.monotonic() < end, f"{move_id} does not finish: {self._standing(move_id)}"
            self._run(None, {}, self.proxies[0], _FINISHED_WITHIN_S)
        raise AssertionError

    def _standing(self, move_id: str) -> str:
        """What keeps a move: its state, the fences, who follows the map, and what was said lately."""
        with Control(self.world.deployment) as control:
            move, fenced, routers = MoveJournal(control.database).get(move_id), control.map().fenced, control.routers()
            lease = control.database["lease"].find_one()
        said = self.diary.read_text().splitlines()[-20:] if self.diary.exists() else []
        return f"{move}\nfences {fenced}, followers {routers}, lease {lease}, now {time.monotonic():.1f}\n" + "\n".join(
            said
        )

    def check(self, ledger: Any) -> list[str]:
        """What is wrong now: lost or altered writes, misplaced or duplicate documents, fences that stay."""
        with Control(self.world.deployment) as control:
            wrong = ledger.check(self.world, control.map())
            if control.map().fenced:
                wrong.append(f"a fence stays: {control.map().fenced}")
        return wrong + [str(one) for one in findings(self.world)]


@contextmanager
def arena(folder: Path) -> Iterator[Arena]:
    """An arena with six clubs on three shards, adopted."""
    with ExitStack() as stack:
        made = Arena(folder)
        stack.callback(made.close)
        made.world.fill(dict.fromkeys(CLUBS, 40), shard_count=3)
        adopt(made.world.deployment)
        yield made


def torture(
    folder: Path, rounds: int, seed: int, say: Callable[[str], None], *, writers: Callable[..., Any] = writing
) -> list[str]:
    """So many rounds; what is wrong after them. The clients write from the first to the last.

    `writers` is `writing`, or `node_writing` for those who follow the map by clients/node.
    """
    rng = random.Random(seed)
    summary = Summary(seed)
    wrong: list[str] | None = None
    with arena(folder) as made:
        try:
            with writers(made.world, CLUBS, pause_s=0.02, shards=3) as ledger:
                for number, blow in enumerate(itertools.islice(blows(seed), rounds), 1):
                    summary.hit = blow
                    summary.rounds.append(made.round(blow, rng, 1 if number % _SEVERAL_EVERY else 3))
                    say(f"{number}/{rounds}  {summary.rounds[-1]}")
            wrong = made.check(ledger) + summary.too_few()
        finally:
            for line in summary.lines(ledger, wrong):
                say(line)
        return wrong
