"""Starting the embedded stack that a profile asks for, with a word about it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from dbz.config.load.profile import Profile
    from dbz.stack import Stack


def start_embedded(profile: Profile, logs: Path, meanwhile: Callable[[], None] = lambda: None) -> Stack:
    """The running stack; progress goes to standard error, one log file a part into `logs`.

    `meanwhile` is called while its programs start.
    """
    typer.echo("Starting the embedded stack …", err=True)
    stack = start_stack_of(profile, logs, meanwhile)
    typer.echo(f"Ready after {stack.started_in_s:.1f} s: {stack.url}", err=True)
    return stack


def start_stack_of(profile: Profile, logs: Path, meanwhile: Callable[[], None] = lambda: None) -> Stack:
    """The running stack, without a word."""
    from dbz.config.load.services import has_band, instances_of
    from dbz.stack import StackOptions, start_stack

    if profile.stack.services:
        instances_of(profile.stack.services, band=has_band())
    options = StackOptions(
        clubs=profile.stack.clubs,
        seed=profile.seed,
        policy=profile.stack.policy,
        processes=profile.stack.processes,
        services=profile.stack.services,
        faults=bool(profile.stack.faults),
    )
    return start_stack(options, logs, meanwhile)
