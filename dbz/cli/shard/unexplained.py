"""Old copies that hold documents which may be nowhere else: naming them, and giving them up only when told to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dbz.errors import ExitCode

if TYPE_CHECKING:
    from dbz.shards.copies.verify_copies import Judgement

Discard = Annotated[
    bool, typer.Option("--discard", help="Give up documents of the old copy that nobody wrote through the map.")
]


def refuse_unexplained(left: Judgement, what: str) -> None:
    """Name what would be lost, and exit with the code for it."""
    from dbz.report.terminal.shards.status import print_strays

    if left.findings or left.unchecked:
        print_strays(left.findings, left.unchecked)
        typer.echo(f"{what}: this may be all that there is of those documents. --discard gives them up.", err=True)
        raise typer.Exit(ExitCode.BROKEN if left.findings else ExitCode.INVALID)
