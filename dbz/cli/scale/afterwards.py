"""What follows once a phase's tasks run: a warm cache, clubs on their shards, and a load run that must pass."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.options import duration_of
from dbz.cli.scale.access import Access, say
from dbz.errors import DbzError, InterruptedRunError, UsageError, VerificationError

if TYPE_CHECKING:
    from dbz.config.phases.plan import Phase
    from dbz.scaling.change.verifying import VerifyingRun

OWN_LOAD = "phase"
"""What `--verify` takes for the phase's own load."""
OWN_PROFILE = "mixed"
"""The profile of that load, unless another one is named."""


@dataclass(frozen=True)
class FollowUpOptions:
    """What is done after the change."""

    verify: Annotated[
        str,
        typer.Option(
            metavar="phase|phase:PROFILE|PROFILE",
            help="Then run dbz load with the phase's own users, connections and requests, or a profile as it is.",
        ),
    ] = ""
    verify_for: Annotated[str, typer.Option(metavar="TIME", help="With --verify: how long its judged part is.")] = ""
    target: Annotated[str, typer.Option(metavar="URL", help="The app's URL for --verify.")] = ""
    warm: Annotated[
        bool | None, typer.Option("--warm/--no-warm", help="Warm the cache when the phase says warm_cache.")
    ] = None
    move_clubs: Annotated[
        bool | None,
        typer.Option("--move-clubs/--no-move-clubs", help="Move clubs by the last plan when it says move_clubs."),
    ] = None


@dataclass
class _Offer:
    """Something that a phase asks for besides."""

    what: str
    """In words: `the cache is warmed`."""
    by: str
    """The command that does it."""
    flag: str
    wanted: bool | None
    """What the options say; None: ask."""
    do: Callable[[], None]


class FollowUp:
    """What is done after a change of a service; `goal` is the name of the phase that it is to reach, if it is one."""

    def __init__(self, access: Access, goal: str, options: FollowUpOptions, phases: str, reports: Path) -> None:
        self._access, self._options, self._phases, self._reports = access, options, phases, reports
        self._phase: Phase | None = access.plan.whole_phase(goal) if goal in access.plan.names else None
        self._run = self._verifying_run()
        self._offers = self._offered()
        self.failed: DbzError | None = None
        """What became of an offer that was taken up and failed: the change stays all the same."""

    @property
    def needed(self) -> bool:
        """Whether there is anything to do."""
        return self._run is not None or bool(self._offers)

    def _verifying_run(self) -> VerifyingRun | None:
        """`UsageError` before anything is changed when the run could not be started."""
        from dbz.config.load.profile import load_profile
        from dbz.scaling.change.verifying import VerifyingRun

        options = self._options
        kind, _, profile = options.verify.partition(":")
        if not options.verify:
            if options.verify_for:
                raise UsageError("--verify-for needs --verify", code="E003")
            return None
        own = kind == OWN_LOAD
        if own and self._phase is None:
            raise UsageError(
                "--verify phase: this change is for no phase of the plan", hint="--verify PROFILE", code="S022"
            )
        name = (profile or OWN_PROFILE) if own else options.verify
        load_profile(name)
        if options.verify_for:
            duration_of("--verify-for", options.verify_for)
        target = options.target or self._access.load_target
        if not target:
            hint = "its load balancer, for example"
            raise UsageError("--verify needs --target URL: where the app answers", hint=hint, code="L004")
        phase = self._phase.name if own and self._phase else ""
        return VerifyingRun(name, target, self._reports, phase, self._phases, options.verify_for)

    def _offered(self) -> list[_Offer]:
        phase, options = self._phase, self._options
        warm, move = (phase.warm_cache, phase.move_clubs) if phase else (None, None)
        for given, said, flag, key in (
            (options.warm, warm, "--warm", "warm_cache"), (options.move_clubs, move, "--move-clubs", "move_clubs")
        ):  # fmt: skip
            if given and not said:
                raise UsageError(f"{flag}: the phase does not say so", hint=f"give it `{key}` in the plan", code="S022")
        offers = []
        if warm:
            command = f"dbz cache warm --config {warm}"
            offers.append(_Offer("warm the cache", command, "--warm", options.warm, lambda: _warm(warm)))
        if move:
            command = f"dbz shard rebalance --config {move}"
            offers.append(
                _Offer("move clubs to their shards", command, "--move-clubs", options.move_clubs, lambda: _move(move))
            )
        return [one for one in offers if one.wanted is not False]

    def ask(self, *, yes: bool) -> None:
        """Ask at a terminal what the options leave open; elsewhere, and with `yes`, only what they say is done."""
        for offer in self._offers:
            if offer.wanted is None and not yes and sys.stdin.isatty():
                offer.wanted = typer.confirm(f"Then {offer.what} ({offer.by})?", default=True, err=True)

    def run(self) -> None:
        """Do it all. Raises unless the run of `--verify` passes; an offer that failed is told at the end."""
        for offer in self._offers:
            if not offer.wanted:
                say(f"Not done: {offer.what} ({offer.by}); {offer.flag} does it.")
                continue
            say(f"{offer.by} …")
            try:
                with redirect_stdout(sys.stderr):  # standard output belongs to the change
                    offer.do()
            except InterruptedRunError:
                raise KeyboardInterrupt from None
            except DbzError as error:
                say(f"failed: {error.message}")
                error.message = f"the tasks are there, but `{offer.by}` failed: {error.message}"
                self.failed = error
        if self._run:
            self._run.check(say)


def _warm(config: str) -> None:
    from dbz.cli.cache.warm import warm

    try:
        warm(config=config, yes=True)
    except typer.Exit as ended:  # it has said why
        if ended.exit_code:
            raise VerificationError("nothing useful was written", code="S025") from None


def _move(config: str) -> None:
    from dbz.cli.shard.rebalance import rebalance

    try:
        rebalance(config=config, yes=True)
    except typer.Exit as ended:
        if ended.exit_code:
            raise VerificationError("a move was given up", code="S025") from None
