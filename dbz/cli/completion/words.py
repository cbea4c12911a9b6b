"""Which candidates there are for the word at the cursor, by the tree of commands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from dbz.cli.completion.values import SOURCES, Given, Values

_CHOICES = re.compile(r"[a-z][a-z-]*(\|[a-z][a-z-]*)+")
_PATHS = re.compile(r"FILE|DIR|PATH")


@dataclass
class _Place:
    """Where the cursor is, after some words."""

    command: Any
    option: Any = None
    """The option whose value comes next."""
    arguments: int = 0
    """Arguments that were given."""
    only_arguments: bool = False
    """Whether `--` has ended the options."""
    given: dict[str, str] = field(default_factory=dict)

    def pass_by(self, word: str) -> None:
        """Go on behind a word that is complete."""
        children = getattr(self.command, "commands", {})
        if self.option is not None:
            if word != "=":  # bash makes words of their own of `=` and what follows it
                self.given[self.option.name], self.option = word, None
        elif word == "--":
            self.only_arguments = True
        elif word.startswith("-") and not self.only_arguments:
            name, equals, value = word.partition("=")
            option = _option(self.command, name)
            if option is not None and not option.is_flag:
                self.given[option.name], self.option = value, None if equals else option
        elif children:
            self.command = children.get(word, self.command)
        else:
            self.arguments += 1

    def argument(self) -> Any:
        """The argument that the next word is; None when there can be no more."""
        declared = [one for one in self.command.params if one.param_type_name == "argument"]
        if self.arguments < len(declared):
            return declared[self.arguments]
        return declared[-1] if declared and declared[-1].nargs == -1 else None


def candidates(root: Any, words: Sequence[str]) -> tuple[list[tuple[str, str]], bool]:
    """What the last word may become, each with what it is, and whether a file may stand there."""
    place = _Place(root)
    for word in words[:-1]:
        place.pass_by(word)
    begun = words[-1] if words else ""
    if place.option is not None:
        return _values(place.option, place, "" if begun == "=" else begun, "")
    if begun.startswith("-") and not place.only_arguments:
        name, equals, value = begun.partition("=")
        option = _option(place.command, name)
        if equals and option is not None:
            return _values(option, place, value, f"{name}=")
        return [row for row in _options(place.command) if row[0].startswith(begun)], False
    children = getattr(place.command, "commands", {})
    if children:
        rows = [(name, _first(child.help)) for name, child in children.items() if not child.hidden]
        return [row for row in rows if row[0].startswith(begun)], False
    argument = place.argument()
    return ([], False) if argument is None else _values(argument, place, begun, "")


def _values(parameter: Any, place: _Place, begun: str, before: str) -> tuple[list[tuple[str, str]], bool]:
    found = _values_of(parameter, place)
    rows = [(before + word, "") for word in found.words if word.casefold().startswith(begun.casefold())]
    return rows, found.files


def _values_of(parameter: Any, place: _Place) -> Values:
    metavar = parameter.metavar or ""
    if parameter.name in SOURCES:
        return SOURCES[parameter.name](Given({name: value for name, value in place.given.items() if value}))
    choices = get_args(getattr(getattr(parameter, "type_descriptor", None), "annotation", None))
    if choices and all(isinstance(choice, str) for choice in choices):
        return Values(choices)
    if _CHOICES.fullmatch(metavar):
        return Values(tuple(metavar.split("|")))
    return Values(files=bool(_PATHS.search(metavar)) or parameter.name == "out")


def _option(command: Any, name: str) -> Any:
    for one in command.params:
        if one.param_type_name == "option" and name in (*one.opts, *one.secondary_opts):
            return one
    return None


def _options(command: Any) -> list[tuple[str, str]]:
    declared = [one for one in command.params if one.param_type_name == "option" and not one.hidden]
    names = [(name, _first(one.help)) for one in declared for name in (max(one.opts, key=len), *one.secondary_opts)]
    return [*names, ("--help", "Show this message and exit.")]


def _first(text: str | None) -> str:
    """The first sentence of a help, on one line."""
    return " ".join((text or "").split("\n\n")[0].split()).split(". ")[0].rstrip(".")
