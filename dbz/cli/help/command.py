"""`dbz help`: a topic, or the help of a command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dbz.errors import UsageError
from dbz.suggest import did_you_mean


def help_(
    context: typer.Context,
    words: Annotated[list[str] | None, typer.Argument(metavar="[TOPIC|COMMAND]", help="None: all topics.")] = None,
    man: Annotated[bool, typer.Option("--man", help="Print the man page of the command.")] = False,
    man_dir: Annotated[
        Path | None, typer.Option("--man-dir", metavar="DIR", help="Write the man pages of all commands to DIR/man1.")
    ] = None,
) -> None:
    """Say what commands share, by topic, or what a command does.

    \b
    Examples:
      dbz help                      all topics
      dbz help exit-codes
      dbz help environment
      dbz help scale apply          the same as dbz scale apply --help
      dbz help --man scale apply | man -l -
      dbz help --man-dir ~/.local/share/man
    """
    from dbz.cli.help.man import man_page, write_pages
    from dbz.cli.help.topics import TOPICS

    root = context.find_root()
    if man_dir is not None:
        typer.echo(f"{write_pages(man_dir, root.command, list(TOPICS.values()))} man pages in {man_dir}/man1")
    elif man:
        named = _context_of(root, words or [])
        typer.echo(man_page(named.command, words or (), [] if words else list(TOPICS.values())), nl=False)
    elif not words:
        typer.echo(_contents(context))
    elif len(words) == 1 and words[0] in TOPICS:
        typer.echo(TOPICS[words[0]].as_text())
    else:
        typer.echo(_context_of(root, words).get_help())


def _contents(context: typer.Context) -> str:
    from dbz.cli.help.topics import TOPICS

    rows = [f"  {topic.name:<13} {topic.about}" for topic in TOPICS.values()]
    return "\n".join([context.find_root().get_help(), "", "Topics of dbz help:", *rows])


def _context_of(context: Any, words: list[str]) -> Any:
    """The context of a command below another one's; `UsageError` for words that lead to none."""
    from dbz.cli.help.topics import TOPICS

    for depth, word in enumerate(words):
        known = getattr(context.command, "commands", {})
        if word not in known:
            names = [*known, *TOPICS] if depth == 0 else known
            raise UsageError(
                f"there is no command or topic '{' '.join(words[: depth + 1])}'{did_you_mean(word, names)}",
                hint="`dbz help` lists all of them",
                code="E011",
            )
        command = known[word]
        context = command.context_class(command, info_name=word, parent=context, **command.context_settings)
    return context
