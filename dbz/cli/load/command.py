"""`dbz load`: run a load, judge it, report it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dbz.cli.interrupts import Interrupts
from dbz.cli.load.care import carry_out_each
from dbz.cli.load.embedded import start_embedded
from dbz.cli.load.options import BaselineOptions, LoadOptions, MachineOptions, OutputOptions, UrlOptions, request_of
from dbz.cli.load.repeats import carry_out_repeatedly
from dbz.cli.verbosity import is_quiet
from dbz.errors import DbzError, InterruptedRunError, InvalidRunError, UsageError

if TYPE_CHECKING:
    from dbz.load.planning.plan import LoadPlan
    from dbz.runs.schema import CareFigures, Run
    from dbz.runs.storage.folder import RunFolder
    from dbz.runs.storage.reading import Record
    from dbz.stack import Stack


def load(
    *,
    options: LoadOptions,
    output: OutputOptions,
    baseline: BaselineOptions,
    url: UrlOptions,
    machines: MachineOptions,
) -> None:
    """Run a load, judge it by budgets, and write its report.

    \b
    PROFILE is a bundled profile (smoke, api, chat, score, mixed, phone) or a YAML
    file. With a URL, users repeat one request. With FILE.py, the users of
    any Locust file run unmodified. Failing requests make any of them fail,
    unless its budgets say otherwise: --budgets none allows them.

    \b
    Examples:
      dbz load                                     520 users of all kinds, for a minute
      dbz load smoke --json                        a few seconds, result as JSON
      dbz load chat --users 400 --duration 5m      a profile with other numbers
      dbz load mixed --phase phase_2               what a phase of the plan must carry
      dbz load api --target http://127.0.0.1:8480  your own server
      dbz load http://127.0.0.1:8480/api/posts --rate 200/s --duration 30s
      dbz load locustfile.py --budgets ci.yaml     any Locust file, your own budgets
      dbz load api --baseline latest               red when slower than the last run
      dbz load api --repeat 5 --baseline main      five runs against a folder of runs
      dbz load phone --without etag,window --each  what the app's care saves
      dbz load mixed --master --workers 2          the load comes from two workers,
      dbz load worker --master-host HOST           started like this on any machine

    \b
    Workers of other machines prove that they belong to the run by a secret:
    DBZ_WORKER_SECRET, the same for the master and each of them.

    \b
    Exit codes: 0 all budgets hold, 1 one is broken, 2 wrong usage, 3 target
    out of reach, 4 measurement not valid, 130 interrupted (what was measured
    is saved and judged).
    """
    if options.subject == "worker":
        _work(machines.master_host, machines.master_port, options.allow_target or [])
        return
    from dbz.load.planning.plan import plan_load

    request = request_of(options, url, machines)
    _ = output.metrics_address
    plan = plan_load(request)
    if options.phase:
        from dbz.config.phases.file import load_phases
        from dbz.load.planning.phases import plan_for_phase

        plan = plan_for_phase(plan, load_phases(options.phases).phase(options.phase), request.overrides)
    if options.each and (baseline.baseline or baseline.repeat > 1):
        raise UsageError("--each compares loads with each other; leave out --baseline and --repeat", code="E003")
    plan = baseline.applied_to(plan, output.out)
    with Interrupts("before anything was measured; nothing is left running").watch() as interrupts:

        def carry_out(
            plan: LoadPlan, number: int, count: int = baseline.repeat, care: Sequence[CareFigures] = ()
        ) -> tuple[Run, RunFolder]:
            return carry_out_run(plan, output, interrupts, number, count, care)

        code = (
            carry_out_each(plan, carry_out) if options.each else carry_out_repeatedly(plan, baseline.repeat, carry_out)
        )
    raise typer.Exit(code)


def _work(host: str, port: int, allowed_targets: list[str]) -> None:
    """Work for a master until its run ends."""
    from tempfile import TemporaryDirectory

    from dbz.load.worker import join_master

    watching = Interrupts("before the run began; nothing is left running").watch()
    with watching as interrupts, TemporaryDirectory(prefix="dbz-worker-") as folder:
        interrupts.defer()
        typer.echo(f"Working for the master at {host}:{port} …", err=True)
        lost = join_master(host, port, Path(folder), allowed_targets, lambda: interrupts.requested)
        if interrupts.requested:
            raise InterruptedRunError("interrupted; the master counts this worker as lost")
    if lost:
        raise InvalidRunError("this worker ended before its record was complete", code="L015")
    typer.echo("The run has ended; its report is the master's.", err=True)


def carry_out_run(
    plan: LoadPlan,
    output: OutputOptions,
    interrupts: Interrupts,
    number: int,
    count: int,
    care: Sequence[CareFigures] = (),
) -> tuple[Run, RunFolder]:
    """Measure, judge and write the reports of run `number` of `count`; only the last one is printed.

    It is held against runs with less `care` of the app, if there were any.
    """
    from dbz.runs.storage.folder import create_run_folder, new_run_id

    folder = create_run_folder(output.out, new_run_id(plan.profile.name, datetime.now(UTC)))
    with ExitStack() as resources:
        stack = None
        if plan.embedded:
            stack = resources.enter_context(start_embedded(plan.profile, folder.logs, _load_libraries))
            plan = replace(plan, target=stack.url)
        try:
            run = _measure(plan, folder, interrupts, output, stack)
        finally:
            if stack is not None:
                stack.release()  # it ends while reports are written
        return _report(run, folder, output, number, count, care), folder


def _load_libraries() -> None:
    """Load what a run and its reports need, while the stack starts."""
    import dbz.load.run
    import dbz.report.terminal.run.live
    import dbz.runs.care  # noqa: F401


def _report(
    run: Run, folder: RunFolder, output: OutputOptions, number: int, count: int, care: Sequence[CareFigures]
) -> Run:
    """Write the reports of a run, print them when it is the last one, and return it with what is known only now."""
    from dbz.report import print_conclusion, print_verdict, tell_github, write_what_can_be
    from dbz.runs.care import care_figures
    from dbz.runs.storage.reading import read_record

    if count > 1:
        run = run.model_copy(update={"repetition": f"{number} of {count}"})
        with suppress(UsageError):  # what could not be written is told below
            folder.save(run)
    record = read_record(folder)
    if number == count and care:
        run = run.model_copy(update={"care": [care_figures(run, record), *care]})
        with suppress(UsageError):
            folder.save(run)
    written = write_what_can_be(folder, run, record)
    problems = written.problems
    try:
        tell_github(run, written.summary, os.environ, sys.stderr)
    except UsageError as error:
        problems.append(error.message)
    if number == count and output.as_json:
        typer.echo(run.to_json())
    elif number == count and is_quiet():
        print_verdict(run)
    elif number == count:
        print_conclusion(run, folder)
    for problem in problems:  # the verdict is what was measured, whether all of its reports could be written or not
        typer.echo(f"dbz: {problem}", err=True)
    return run


def _measure(
    plan: LoadPlan, folder: RunFolder, interrupts: Interrupts, output: OutputOptions, stack: Stack | None
) -> Run:
    from dbz.load.run import Surroundings, run_load
    from dbz.load.target.allowed_hosts import reach
    from dbz.report import open_metrics, open_otlp, open_view, write_reports

    # A target of the user's own is watched by its health probe.
    check: Callable[[], None] = stack.check if stack is not None else lambda: None
    try:
        reach(plan.target)
        interrupts.defer()
        show = [open_view(no_live=output.no_live, title=plan.profile.name, budgets=plan.budgets)]
        if output.metrics_address:
            show.append(open_metrics(*output.metrics_address, plan.budgets))
        if output.otlp:
            show.append(open_otlp(output.otlp, plan.budgets))
        with ExitStack() as opened:
            views = [opened.enter_context(view) for view in show]

            def update(record: Record, elapsed_s: float, planned_s: float) -> None:
                for view in views:
                    view.update(record, elapsed_s, planned_s)

            return run_load(plan, folder, Surroundings(update, check, lambda: interrupts.requested))
    except DbzError:
        # The server may have died half-way: what was measured until then is worth a report all the same.
        with suppress(UsageError):
            write_reports(folder)
        raise
