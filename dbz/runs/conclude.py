"""The conclusion of a run: is the measurement valid, which budgets hold, and so what is the verdict."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Sequence

from dbz.config.load.profile import SERVICE_HEADER
from dbz.errors import ExitCode
from dbz.measure.budget.budgets import Budget
from dbz.measure.budget.limits import format_interval
from dbz.measure.budget.measuring import Measurements
from dbz.measure.budget.verdicts import Effect, Outcome, Verdict, judge, misspelt_filters, nothing_decided
from dbz.measure.latency.series import GENERATOR, MEASURE, OPERATION_KINDS, REQUEST_KINDS
from dbz.measure.latency.tags import NETWORK, SERVICE_LABEL
from dbz.runs import aggregate
from dbz.runs.compare.baseline import Baseline
from dbz.runs.compare.document import Comparison
from dbz.runs.fold import SERVER_GAUGES
from dbz.runs.pages import browser_figures, lost_browser, page_figures, page_notes, unopened
from dbz.runs.schema import BudgetResult, ErrorGroup, Generator, Run, RunVerdict, Window
from dbz.runs.services import breaker_openings, service_notes, service_processes
from dbz.runs.sources import explained, health_notes, server_sources
from dbz.runs.storage.reading import Record
from dbz.runs.validity import arrivals, coverage
from dbz.runs.validity.before import failures_before
from dbz.runs.validity.doubts import doubt_notes, nothing_right, unasked_deliveries
from dbz.runs.validity.growth import growth_notes
from dbz.runs.validity.machine import busy_notes, machine_figures
from dbz.runs.validity.scenario_code import failures_of_code, invalid_code, notes_of_code

SATURATED_CPU_PERCENT = 90.0
LAG_SHARE_OF_BUDGET = 0.5
"""Lag above this share of the tightest latency budget would decide the verdict instead of the server."""
QUICK_LAG_MS = 50.0
"""A generator whose event loops wake up later than this is not quick: what it asks for too late is its own fault."""
COLLECTION_PERCENT = 1.0
"""Garbage collection that takes more of the time reaches the percentiles that budgets are about."""

NOTHING_TOLD = (
    "of no operation could be told whether it became worse than in the baseline: make the runs longer, or more of them "
    "(--repeat 5)"
)

_OWN_LIMITS = {
    errno.EMFILE: "the load generator has no open files left; raise the limit (ulimit -n), or use fewer users here",
    errno.ENFILE: "this machine has no open files left; raise its limit (fs.file-max), or use fewer users here",
    errno.EADDRNOTAVAIL: "this machine has no ports left; let users keep their connections, or use more machines",
    errno.ENOBUFS: "this machine has no memory for sockets left; use fewer users here",
}
EXIT_CODES = {
    RunVerdict.PASS: ExitCode.OK,
    RunVerdict.FAIL: ExitCode.BROKEN,
    RunVerdict.INVALID: ExitCode.INVALID,
    RunVerdict.INTERRUPTED: ExitCode.INTERRUPTED,
    RunVerdict.RUNNING: ExitCode.INVALID,
}


def conclude(
    run: Run,
    record: Record,
    budgets: Sequence[Budget],
    *,
    lost_workers: int = 0,
    interrupted: bool = False,
    stopped: str = "",
    baseline: Baseline | None = None,
    window: Window | None = None,
) -> Run:
    """The run with everything filled in that follows from its record; `stopped` says which budget ended it early.

    `window` is another part of the run than its judged one; of a run that goes on it may be any that is written.
    """
    window = window or record.window
    found = aggregate.measurements(record, window)
    machine = machine_figures(record, window)
    silence = coverage.silence_note(record, window)
    notes = [
        *([silence] if silence else []),
        *misspelt_filters(budgets, found),
        *busy_notes(machine),
        *notes_of_code(record),
        *page_notes(record.pages, window),
        *doubt_notes(record, window, found, budgets),
        *growth_notes(record, window, found.gauges["users.held"]),
        *service_notes(found, run.profile.get("service_header", SERVICE_HEADER)),
    ]
    verdicts = explained(judge(budgets, found, aggregate.cut_of(record, window)), record)
    run = run.model_copy(update={"machine": machine, "notes": [*notes, *health_notes(verdicts)]})
    if baseline and found.seconds:
        verdicts = baseline.judge(verdicts, run, found)
    comparison = baseline.compare(run, found) if baseline and found.seconds else None
    health = aggregate.generator_health(record, window, found, lost_workers)
    groups, every = aggregate.error_groups(record, window), aggregate.error_groups(record)
    invalid = [*invalid_code(every), *invalid_reasons(found, health, verdicts, run.profile.get("lost_workers", 0))]
    invalid += [*undecided_reasons(verdicts), *limit_reasons(groups)]
    invalid += [*_gaps(run, record, window, health), *lost_browser(record.pages)]
    pages = page_figures(record.pages, window)
    if window.seconds and not interrupted:
        invalid += unopened((one["url"] for one in run.profile.get("pages", ())), pages, window)
    failures = [*([stopped] if stopped else []), *(comparison.findings if comparison else ())]
    failures += failures_of_code(record, found, budgets, health, every, int(run.profile.get("users", 0)))
    if window == record.window:  # before another part of it was a load of another size
        failures += failures_before(record, window, found, budgets)
    failures += unasked_deliveries(found, budgets)
    no_measure, too_slow = arrivals.dropped_reasons(
        record, window, health, run.profile.get("users", 0), slow_generator=_slow_generator(health)
    )
    invalid += [no_measure] if no_measure else []
    failures += [too_slow] if too_slow else []
    failed = bool(failures) or any(verdict.breaks_run for verdict in verdicts)
    if not failed:
        invalid += _nothing_to_pass_by(record, window, found, verdicts, comparison)
        invalid += nothing_right(record, window, found, budgets)
    held = found.gauges["users.held"]
    answered = aggregate.by_label(found, SERVICE_LABEL)
    return run.model_copy(
        update={
            "duration_s": round(record.last_s, 3),
            "window": window,
            "users_held": int(min(held)) if held else None,
            "users_most": int(max(held)) if held else None,
            "verdict": _verdict(invalid, interrupted=interrupted, failed=failed),
            "reasons": [*invalid, *failures, *(verdict.reason for verdict in verdicts if verdict.breaks_run)],
            "budgets": [budget_result(verdict) for verdict in verdicts],
            "operations": aggregate.operations(found),
            "networks": aggregate.by_label(found, NETWORK),
            "breakers": breaker_openings(record.server),
            "services": answered,
            "service_processes": service_processes(aggregate.server_lines(record, window), answered),
            "pages": pages,
            "browser": browser_figures(record.pages, window),
            "counters": aggregate.counters(found),
            "errors": groups,
            "errors_outside": sum(one.count for one in every) - sum(one.count for one in groups),
            "deliveries": aggregate.deliveries(record),
            "generator": health,
            "comparison": comparison,
            "server": aggregate.server_figures(
                found, aggregate.server_connections(record, window), server_sources(record)
            ),
        }
    )


def _gaps(run: Run, record: Record, window: Window, health: Generator) -> list[str]:
    """Where the record says nothing of a judged second; workers that may be lost may leave out what came after that."""
    lost = min(health.lost_workers, run.profile.get("lost_workers", 0))
    return coverage.record_reasons(record, window, run.profile.get("workers") or 0, lost=lost)


def _nothing_to_pass_by(
    record: Record, window: Window, found: Measurements, verdicts: Sequence[Verdict], comparison: Comparison | None
) -> list[str]:
    """Why a run in which nothing is broken has not shown that anything is good either."""
    nothing = nothing_decided(verdicts) if comparison is None and found.seconds else ""
    reasons = [nothing] if nothing else []
    reasons += [NOTHING_TOLD] if comparison and comparison.blind else []
    return reasons + coverage.metrics_reasons(record, window, _about_metrics(verdicts))


def invalid_reasons(
    found: Measurements, health: Generator, verdicts: Sequence[Verdict], allowed_losses: int = 0
) -> list[str]:
    """Why the numbers cannot be trusted, each with what would help; empty when they can."""
    reasons = []
    if not found.attempts((*REQUEST_KINDS, MEASURE)).count:
        reasons.append("nothing was measured: no request ended in the judged part of the run")
    if health.lost_workers > allowed_losses:
        allowed = f", and {allowed_losses} may be" if allowed_losses else ""
        reasons.append(
            f"{health.lost_workers} load generator worker(s) were lost{allowed}; see the logs folder of the run"
        )
    if health.cpu_percent > SATURATED_CPU_PERCENT:
        reasons.append(
            f"the load generator was saturated ({health.cpu_percent:.0f} % of a core): use more --workers or less load"
        )
    stalls = [(f"lagged by {health.lag_ms_p99:.1f} ms (p99)", health.lag_ms_p99)]
    if health.gc_percent > COLLECTION_PERCENT:
        pause = f"up to {health.gc_ms_max:.1f} ms to collect garbage ({health.gc_percent:.1f} % of the time)"
        stalls.append((f"stood still for {pause}", health.gc_ms_max))
    return reasons + [reason for what, stall_ms in stalls if (reason := _stalled(verdicts, what, stall_ms))]


def limit_reasons(groups: Sequence[ErrorGroup]) -> list[str]:
    """What the generator's own machine ran out of: requests were never made, and that is no failure of the target.

    Our own clients say so by the kind of the error, others only by its text.
    """
    limits: dict[str, int] = {}
    for group in groups:
        texts = [what for code, what in _OWN_LIMITS.items() if os.strerror(code) in group.error]
        what = group.error if group.kind == GENERATOR else texts[0] if texts else ""
        limits[what] = limits.get(what, 0) + group.count
    return [f"{count:,} attempts were never made: {what}" for what, count in limits.items() if what]


def _slow_generator(health: Generator) -> str:
    """What kept the generator from being quick; empty when it was."""
    if health.cpu_percent > SATURATED_CPU_PERCENT:
        return f"used {health.cpu_percent:.0f} % of a core"
    if health.lag_ms_p99 > QUICK_LAG_MS:
        return f"lagged by {health.lag_ms_p99:.1f} ms (p99)"
    if health.gc_percent > COLLECTION_PERCENT:
        return f"spent {health.gc_percent:.1f} % of the time on collecting garbage"
    return ""


def _about_metrics(verdicts: Sequence[Verdict]) -> dict[str, str]:
    """The budgets on what the target says of itself, and what the record calls that."""
    keys = {**SERVER_GAUGES, "server.query": "queries"}
    return {
        verdict.budget.name: keys[verdict.budget.of.metric.name]
        for verdict in verdicts
        if verdict.budget.of.metric.name in keys
    }


def undecided_reasons(verdicts: Sequence[Verdict]) -> list[str]:
    """What the rules of the budgets file make of budgets that could not be decided, where that is "invalid"."""
    return [verdict.reason for verdict in verdicts if verdict.effect is Effect.INVALID]


def _stalled(verdicts: Sequence[Verdict], what: str, stall_ms: float) -> str:
    """Which budget the generator was too slow to judge; empty when there is none."""
    undecided = [verdict for verdict in verdicts if _stall_decides(verdict, stall_ms)]
    if not undecided:
        return ""
    tightest = min(undecided, key=lambda verdict: verdict.budget.limit.value).budget
    return (
        f"the load generator {what}, too much to judge {tightest.name} {tightest.limit}: "
        "use more --workers, less load, or a quieter machine"
    )


def _stall_decides(verdict: Verdict, stall_ms: float) -> bool:
    """Whether the time that the generator lost is large against a latency limit, and could decide the verdict."""
    budget = verdict.budget
    if (
        verdict.value is None
        or not budget.limit.known
        or budget.limit.unit != "ms"
        or budget.of.metric.name not in OPERATION_KINDS
    ):
        return False
    broken_anyway = not budget.limit.holds(verdict.value - stall_ms)
    return stall_ms > LAG_SHARE_OF_BUDGET * budget.limit.value and not broken_anyway


def _verdict(invalid: Sequence[str], *, interrupted: bool, failed: bool) -> RunVerdict:
    if interrupted:
        return RunVerdict.INTERRUPTED
    if invalid:
        return RunVerdict.INVALID
    return RunVerdict.FAIL if failed else RunVerdict.PASS


def unjudged(budgets: Sequence[Budget]) -> list[BudgetResult]:
    """The budgets as a run that has just begun names them, so that it can be judged even when dbz is killed."""
    return [budget_result(Verdict(budget, Outcome.NOT_MEASURED)) for budget in budgets]


def _stored(value: float | None, unit: str) -> float | None:
    """A value as `run.json` keeps it; of a share near one the digits count that are missing."""
    if value is None or math.isinf(value):
        return None
    return round(value, 9) if unit == "%" and value > 0.1 else aggregate.finite(value)


def budget_result(verdict: Verdict) -> BudgetResult:
    """A verdict as `run.json` keeps it."""
    budget, measured = verdict.budget, verdict.measured
    low, high = (measured.low, measured.high) if measured else (None, None)
    return BudgetResult(
        name=budget.name,
        of=str(budget.of),
        stat=budget.stat,
        op=budget.limit.op,
        limit=budget.limit.value if budget.limit.known else None,
        unit=budget.limit.unit,
        value=_stored(verdict.value, budget.limit.unit),
        verdict=verdict.outcome.value,
        samples=verdict.samples,
        required=budget.required,
        reason=verdict.reason,
        low=_stored(low, budget.limit.unit),
        high=_stored(high, budget.limit.unit),
        error=round(measured.error, 6) if measured and measured.error < float("inf") else 0.0,
        interval=format_interval(low, high, budget.limit.unit) or ("unknown" if measured and measured.blind else ""),
        allowance=budget.limit.allowance,
        effect=verdict.effect.value,
        note=verdict.note,
        terms=dict(budget.terms),
    )
