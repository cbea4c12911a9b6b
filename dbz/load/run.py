"""One load run from its plan to its conclusion: generator, sampler, record, verdict."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dbz.config.load.faults import parse_fault
from dbz.config.load.networks import PRESETS, NetworkTerms
from dbz.config.load.profile import Profile
from dbz.config.load.shapes import SHAPES
from dbz.errors import DbzError, UsageError
from dbz.load.abort import AbortWatch
from dbz.load.launch import GeneratorProcesses
from dbz.load.machine import MachineWatch
from dbz.load.new_run import new_run
from dbz.load.pages.browser import Browser
from dbz.load.pages.opening import opened_browser, watched_pages
from dbz.load.planning.networks import Network
from dbz.load.planning.plan import LoadPlan
from dbz.load.spec import GeneratorRole, GeneratorSpec
from dbz.load.target.faults import FaultInjector
from dbz.load.target.sampler import Sampler
from dbz.runs.conclude import conclude
from dbz.runs.past.digest import write_digest
from dbz.runs.past.keeper import PastKeeper
from dbz.runs.past.spans import span_terms
from dbz.runs.schema import Run, RunVerdict
from dbz.runs.storage.folder import RunFolder
from dbz.runs.storage.reading import Record, RecordReader, read_record
from dbz.runs.storage.record import END, SETUP_UNTIL, STEADY, TEARDOWN_UNTIL
from dbz.targets.places import HEALTH

POLL_S = 0.25
_KEPT_S = 300.0
"""So much of the record those have who watch the run: views show the last seconds, and marks come a moment late."""
_OVERTIME_S = 120.0
"""For users that are slow to start, and for workers that have yet to join."""
_SILENCE_S = 10.0
"""A generator of which no worker has written its line of a second for so long is frozen."""
_LAST_WORDS_S = 20.0
"""From the end of the judged part until all processes have ended: what is under way may still be waited for."""
_STOP_PATIENCE_S = 10.0
_GOODBYE_S = 5.0
"""Between the end of the teardown and that of its process."""


@dataclass(frozen=True)
class Surroundings:
    """What the caller does while a run goes on."""

    show: Callable[[Record, float, float], None]
    """Gets the record so far, the seconds since the start, and the planned ones."""
    check: Callable[[], None]
    """Raises a `DbzError` when something that the run needs has ended."""
    interrupted: Callable[[], bool]
    """Whether the user wants to stop."""


def run_load(plan: LoadPlan, folder: RunFolder, around: Surroundings) -> Run:
    """Carry out a load and return its conclusion, which is saved in the folder.

    When something the run needs ends early, what was measured is concluded and saved, and then the error is raised.
    `UsageError` when the scenario is wrong.
    """
    with opened_browser(plan, folder) as browser:
        return _run(plan, folder, around, browser)


def _with_faults(run: Run, injector: FaultInjector) -> Run:
    """The run with the faults that struck; one that could not be asked for is no measurement of it."""
    struck = [fault for _, fault in sorted(injector.struck.items())]
    if not injector.trouble:
        return run.model_copy(update={"faults": struck})
    verdict = run.verdict if run.verdict is RunVerdict.INTERRUPTED else RunVerdict.INVALID
    return run.model_copy(update={"faults": struck, "verdict": verdict, "reasons": [injector.trouble, *run.reasons]})


def _run(plan: LoadPlan, folder: RunFolder, around: Surroundings, browser: Browser | None) -> Run:
    started_s, started = time.monotonic(), datetime.now(UTC)
    run = new_run(plan, folder.id, started)
    folder.save(run)
    watch = AbortWatch(plan.budgets)
    reader = RecordReader(folder, watch.looks_back_s + _KEPT_S)
    stages = [over_s for _, over_s in _stages(plan.profile)]
    keeper = PastKeeper(folder, started.timestamp(), span_terms(plan.budgets, stages))
    failure: DbzError | None = None
    interrupted, stopped = False, ""
    spec = generator_spec(plan, folder.path, started_s, started)
    faults = [parse_fault(text) for text in plan.profile.stack.faults] if plan.embedded else []
    with (
        GeneratorProcesses(spec, folder) as generator,  # it starts while the others have their first looks
        sampler_of(plan, folder, started_s),
        MachineWatch(plan.target, folder.machine, started_s) as machine,
        watched_pages(plan, folder, browser, started_s) as pages,
        FaultInjector(faults, plan.base_url, started_s) as injector,
    ):
        end_s = started_s + plan.planned_s + _OVERTIME_S
        record = reader.record
        while generator.running(started_s + teardown_s(record)) and time.monotonic() < max(
            end_s + record.marks.get(SETUP_UNTIL, 0.0), started_s + teardown_s(record)
        ):
            machine.update()
            record = reader.poll()
            pages.update(record)
            injector.judged_from(record.marks.get(STEADY))
            keeper.update(record)
            if is_over(record, time.monotonic() - started_s):
                break
            around.show(record, time.monotonic() - started_s, plan.planned_s)
            if not (interrupted or failure or stopped):
                failure = _failure(around.check)
                interrupted = around.interrupted()
                stopped = watch.update(record)
                if interrupted or failure or stopped:
                    generator.interrupt()
                    end_s = time.monotonic() + _STOP_PATIENCE_S
            generator.wait(POLL_S)
        generator.stop()
        if not (interrupted or failure):
            pages.finish()
    record = reader.poll()
    keeper.finish(record)
    if record.forgotten:
        record = read_record(folder)
    lost = generator.lost_workers + record.lost_workers
    concluded = conclude(
        run, record, plan.budgets, lost_workers=lost, interrupted=interrupted, stopped=stopped, baseline=plan.baseline
    )
    concluded = _with_faults(concluded, injector)
    if failure:
        concluded = concluded.model_copy(update={"reasons": [failure.message, *concluded.reasons]})
    write_digest(folder, record, started.timestamp())
    try:
        folder.save(concluded)
    except UsageError as error:  # a full disk: the verdict is shown all the same
        concluded = concluded.model_copy(update={"notes": [*concluded.notes, error.message]})
    if failure:
        raise failure
    return concluded


def sampler_of(plan: LoadPlan, folder: RunFolder, started_s: float) -> Sampler:
    """What asks the target of a plan how it is. The embedded stack has a health probe, whatever becomes of it."""
    health = plan.profile.health or (HEALTH if plan.embedded else "")
    return Sampler(plan.base_url, folder.server, started_s, plan.profile.metrics, health)


def is_over(record: Record, now_s: float) -> bool:
    """Whether a generator that still runs has nothing more to tell: it is frozen, or does not end."""
    if END in record.marks:
        return now_s > max(record.marks[END] + _LAST_WORDS_S, teardown_s(record))
    # Before the first line a worker is still starting, which takes as long as the machine is slow.
    return record.last_s > 0 and now_s > record.last_s + _SILENCE_S


def teardown_s(record: Record) -> float:
    """Until which second of the run its teardown may go on; 0 while there is none."""
    return record.marks[TEARDOWN_UNTIL] + _GOODBYE_S if TEARDOWN_UNTIL in record.marks else 0.0


def _failure(check: Callable[[], None]) -> DbzError | None:
    try:
        check()
    except DbzError as error:
        return error
    return None


def generator_spec(plan: LoadPlan, folder: Path, started_s: float, started: datetime) -> GeneratorSpec:
    """What the generator of a plan is told; its record goes into `folder`. The start is one moment on both clocks."""
    profile = plan.profile
    return GeneratorSpec(
        folder=str(folder.resolve()),
        role=GeneratorRole.MASTER if plan.master_port else GeneratorRole.LOCAL,
        worker=0,
        workers=profile.workers or 1,
        scenario=plan.scenario,
        target=plan.target,
        users=profile.users,
        rate_per_s=profile.rate,
        duration_s=profile.length_s,
        warmup_s=profile.warmup,
        seed=profile.seed,
        clubs=profile.stack.clubs,
        started_epoch_s=started.timestamp(),
        started_monotonic_s=started_s,
        spacing=profile.spacing,
        open_users=tuple(profile.open_users),
        arrivals=profile.arrivals,
        speed=profile.speed,
        tags=tuple(profile.tags),
        exclude_tags=tuple(profile.exclude_tags),
        without=tuple(profile.without),
        pacing_s=profile.pacing,
        stages=_stages(profile),
        connections=profile.connections,
        requests_per_s=profile.requests,
        master_host=plan.master_host,
        master_port=plan.master_port,
        allowed_targets=tuple(plan.allowed_targets),
        request=plan.request,
        whole_shape=plan.whole_shape,
        hosts=tuple(plan.hosts),
        networks=users_networks(profile),
        service_header=profile.service_header,
    )


def users_networks(profile: Profile) -> tuple[Network, ...]:
    """The networks of the users, those with the largest share first."""
    known = {**PRESETS, **profile.networks}
    shares = sorted(profile.network.items(), key=lambda item: (-item[1], item[0]))
    return tuple(_network(name, share, known.get(name)) for name, share in shares)


def _network(name: str, share: float, terms: NetworkTerms | None) -> Network:
    if terms is None:
        return Network(name, share, shaped=False)
    return Network(
        name,
        share,
        latency_s=terms.latency,
        jitter_s=terms.jitter,
        down_bit_s=terms.down or 0.0,
        up_bit_s=terms.up or 0.0,
        loss=terms.loss,
        outage_every_s=terms.outages.every if terms.outages else 0.0,
        outage_length_s=terms.outages.length if terms.outages else 0.0,
    )


def _stages(profile: Profile) -> tuple[tuple[float, float], ...]:
    if profile.shape is None:
        return tuple((stage.to, stage.over) for stage in profile.stages)
    level = float(profile.users) if profile.rate is None else profile.rate
    return tuple((stage.to, stage.over_s) for stage in SHAPES[profile.shape](level, profile.duration))
