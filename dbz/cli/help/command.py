"""`dbz help`: a topic, or the help of a command."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from dbz.errors import UsageError
from dbz.suggest import did_you_mean


def help_(
    context: typer.Context,
    words: Annotated[list[str] | None, typer.Argument(metavar="[TOPIC|COMMAND]", help="None: all topics.")] = None,
) -> None:
    """Say what commands share, by topic, or what a command does.

    \b
    Examples:
      dbz help                      all topics
      dbz help exit-codes
      dbz help environment
      dbz help scale apply          the same as dbz scale apply --help
    """
    from dbz.cli.help.topics import TOPICS

    if not words:
        typer.echo(_contents(context))
    elif len(words) == 1 and words[0] in TOPICS:
        typer.echo(TOPICS[words[0]].as_text())
    else:
        typer.echo(_help_of(context.find_root(), words))


def _contents(context: typer.Context) -> str:
    from dbz.cli.help.topics import TOPICS

    rows = [f"  {topic.name:<13} {topic.about}" for topic in TOPICS.values()]
    return "\n".join([context.find_root().get_help(), "", "Topics of dbz help:", *rows])


def _help_of(context: Any, words: list[str]) -> str:
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
    return str(context.get_help())
