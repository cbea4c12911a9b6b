"""The tree of commands, as the program itself declares it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import typer.main

from dbz.cli.main import app


@dataclass(frozen=True)
class DeclaredCommand:
    """A command that does something, not a group of them."""

    words: tuple[str, ...]
    """How it is called, without `dbz`."""
    options: tuple[tuple[str, bool], ...]
    """The long name of each option, and whether it takes a value."""
    required: int
    """How many arguments it cannot do without."""
    arguments: int
    """How many arguments it declares."""
    help: str
    """What it says of itself, as it is written."""

    @property
    def examples(self) -> list[str]:
        """The lines of its examples."""
        block = self.help.partition("Examples:\n")[2].split("\n\n")[0]
        return block.splitlines()

    @property
    def lines_before_examples(self) -> int:
        """How much there is to read before one sees how it is used."""
        return len(self.help.partition("Examples:\n")[0].splitlines())


def every_command() -> list[DeclaredCommand]:
    """All commands, in the order of the help."""
    return list(_below(typer.main.get_command(app), ()))


def declared_parameters() -> list[Any]:
    """All options and arguments of all commands, as typer has them."""

    def below(command: Any) -> Iterator[Any]:
        yield from command.params
        for child in getattr(command, "commands", {}).values():
            yield from below(child)

    return list(below(typer.main.get_command(app)))


def is_known_command(text: str) -> bool:
    """Whether `dbz …` is a command, or a group of them, with all the options that are in the text."""
    words = tuple(text.split()[1:])
    for command in every_command():
        if words[: len(command.words)] == command.words:
            options = {"--help", *(name for name, _ in command.options)}
            return all(word.partition("=")[0] in options for word in words if word.startswith("--"))
    return any(command.words[: len(words)] == words for command in every_command())


def unknown_steps(document: Mapping[str, Any]) -> list[str]:
    """The next steps of an answer that are no commands of dbz; an answer without any fails the test."""
    assert document["next_steps"], document
    return [step for step in document["next_steps"] if not is_known_command(step)]


def _below(command: Any, words: tuple[str, ...]) -> Iterator[DeclaredCommand]:
    children = getattr(command, "commands", None)
    if children is not None:
        for name, child in children.items():
            yield from _below(child, (*words, name))
        return
    options = [one for one in command.params if one.param_type_name == "option"]
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    named = [(max(one.opts, key=len), not one.is_flag) for one in options]
    yield DeclaredCommand(
        words, tuple(named), sum(one.required for one in arguments), len(arguments), command.help or ""
    )
