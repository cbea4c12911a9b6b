"""Asking before something is changed."""

from __future__ import annotations

import sys

import typer

from dbz.cli.verbosity import aloud
from dbz.errors import InterruptedRunError, UsageError


def confirm(question: str, *, yes: bool, so_far: str = "nothing was done") -> None:
    """Go on only when the user agrees; without a terminal only `--yes` agrees.

    `so_far` is what a refusal says. Raises `UsageError` when nobody can be asked, `InterruptedRunError` for a no.
    """
    if yes:
        return
    _refuse_without_terminal(so_far)
    with aloud():
        agreed = typer.confirm(question, err=True)
    if not agreed:
        raise InterruptedRunError(so_far)


def confirm_by_name(name: str, *, yes: bool, so_far: str = "nothing was changed") -> None:
    """Go on only when the user types the name of what is to be changed; otherwise as `confirm`."""
    if yes:
        return
    _refuse_without_terminal(so_far)
    with aloud():
        typed = typer.prompt(f"\nType the service's name ({name}) to do it", default="", show_default=False, err=True)
    if typed.strip() != name:
        raise UsageError(f"that is not its name: {so_far}", code="E021")


def _refuse_without_terminal(so_far: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError(f"{so_far}: there is nobody to ask", hint="add --yes to do it", code="E020")
