"""What the commands of `dbz report` share: how a run is named, and which runs can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dbz.runs.schema import Run
    from dbz.runs.storage.folder import RunFolder

RunName = Annotated[
    str, typer.Argument(metavar="[RUN]", help="A run's folder, its id, the beginning of its id, or 'latest'.")
]


def readable(folders: list[RunFolder]) -> list[tuple[RunFolder, Run]]:
    """The runs that can be read; the others are named on standard error."""
    from dbz.errors import UsageError

    runs = []
    for folder in folders:
        try:
            runs.append((folder, folder.load()))
        except UsageError as damaged:
            typer.echo(f"skipped: {damaged.message}", err=True)
    return runs
