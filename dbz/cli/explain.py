"""`dbz explain`: what the code of an error means, and what to do about it."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.options import AsJson

if TYPE_CHECKING:
    from dbz.codes.kind import ErrorKind

_WIDTH = 100


def explain(
    code: Annotated[str, typer.Argument(metavar="[CODE]", help="As an error shows it; all of them without it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Say what the code of an error means: why it happens, and what to do about it.

    \b
    Examples:
      dbz explain DBZ-L002
      dbz explain l002              the same
      dbz explain                   all codes
      dbz explain S014 --json
    """
    from dbz.codes.register import KINDS, find_kind

    kinds = (find_kind(code),) if code else KINDS
    if as_json:
        rows = [_as_document(kind) for kind in kinds]
        typer.echo(json.dumps({"schema": "dbz.error-codes/1", "codes": rows}, indent=2))
    else:
        typer.echo(_text(kinds[0]) if code else _list(kinds))


def _as_document(kind: ErrorKind) -> dict[str, str | int]:
    return {
        "code": kind.shown,
        "area": kind.area,
        "title": kind.title,
        "cause": kind.cause,
        "cure": kind.cure,
        "exit_code": int(kind.exit_code),
    }


def _text(kind: ErrorKind) -> str:
    rows = {
        "why": kind.cause,
        "what to do": kind.cure,
        "exit code": f"{int(kind.exit_code)}: {kind.exit_code.meaning}",
    }
    lines = [f"{kind.shown}  {kind.title}"]
    for name, text in rows.items():
        lines += ["", *textwrap.wrap(text, _WIDTH, initial_indent=f"  {name:<12}", subsequent_indent=" " * 14)]
    return "\n".join(lines)


def _list(kinds: tuple[ErrorKind, ...]) -> str:
    lines: list[str] = []
    area = ""
    for kind in kinds:
        if kind.area != area:
            lines += ["", kind.area] if lines else [kind.area]
            area = kind.area
        lines.append(f"  {kind.shown}  {kind.title}")
    return "\n".join(lines)
