"""The words of commands, as a shell (POSIX, bash) or the command prompt of Windows takes a text apart.

Nothing is expanded: a variable of the shell becomes `<NAME>`, which a scenario takes from its environment.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from dbz.bring.recording import placeholder

_ENDS = ";&|()\n"
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "e": "\x1b", "E": "\x1b"}
_ANSI_C = re.compile(r"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|(.))", re.DOTALL)
_VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)[^{}]*\})")
_HEREDOC = re.compile(r"<<(-?)[ \t]*(['\"]?)([\w.-]+)\2")
_REDIRECTION = re.compile(r"\d*(?:&>>?|>>?&?|<&?)[ \t]*")
_BLANK = re.compile(r"<[A-Za-z][\w-]*>")
"""What documentation writes where readers put something of their own; a shell would read from a file."""
_CARET = re.compile(r"\^(?:\r?\n[ \t]*\^?\r?\n|\r?\n|(.))", re.DOTALL)
_SLASHES = re.compile(r'(\\+)"')
_DEEPEST = 20


class UnclosedTextError(ValueError):
    """A text that ends within quotes."""


@dataclass
class ShellCommand:
    """One command: its words, and what it reads from a text below it (a here-document)."""

    words: list[str] = field(default_factory=list)
    given: str = ""


def commands_of(text: str) -> tuple[list[ShellCommand], list[str]]:
    """The commands of a text in their order, those within `$(…)` before the one around, and the variables in them;
    `UnclosedTextError` where a quote is never closed."""
    text = text.replace("\r\n", "\n")
    if re.search(r'\^\n|\^"', text):
        return [ShellCommand(words) for line in _lines_of_windows(text) if (words := _words_of_windows(line))], []
    shell = _Shell(text)
    shell.read()
    return [one for one in shell.commands if one.words], list(dict.fromkeys(shell.variables))


class _Shell:
    """Where the reading of a text is."""

    def __init__(self, text: str, depth: int = 0) -> None:
        self._text, self._at, self._depth = text, 0, depth
        self._word: list[str] | None = None
        self._command = ShellCommand()
        self._below: list[tuple[ShellCommand, str, bool]] = []
        """Here-documents that begin on the next line: whose they are, how they end, whether tabs before them go."""
        self.commands: list[ShellCommand] = []
        self.variables: list[str] = []

    def read(self) -> None:
        """Take the whole text apart."""
        while self._at < len(self._text):
            char = self._text[self._at]
            if char in " \t":
                self._end_word()
                self._at += 1
            elif self._text.startswith("\\\n", self._at):
                self._at += 2
            elif char == "#" and self._word is None:
                self._at = self._line_end()
            elif match := _HEREDOC.match(self._text, self._at):
                self._end_word()
                self._below.append((self._command, match[3], bool(match[1])))
                self._at = match.end()
            elif match := _BLANK.match(self._text, self._at):
                self._add(match[0])
                self._at = match.end()
            elif (match := _REDIRECTION.match(self._text, self._at)) and (self._word is None or char in "<>"):
                self._skip_redirection(match.end())
            elif char in _ENDS:
                self._end_command()
                self._at += 1
                if char == "\n":
                    self._take_below()
            else:
                self._add(self._piece(char))
        self._end_command()

    def _piece(self, char: str) -> str:
        """The part of a word that begins here, without its quotes."""
        if char == "'":
            return self._until("'")
        if self._text.startswith("$'", self._at):
            return self._ansi_c()
        if char == '"':
            return self._quoted()
        if char == "\\":
            self._at += 2
            return self._text[self._at - 1 : self._at]
        return self._plain()

    def _until(self, quote: str) -> str:
        end = self._text.find(quote, self._at + 1)
        if end < 0:
            raise UnclosedTextError("no closing quotation")
        found, self._at = self._text[self._at + 1 : end], end + 1
        return found

    def _ansi_c(self) -> str:
        start = end = self._at + 2
        while end < len(self._text) and self._text[end] != "'":
            end += 2 if self._text[end] == "\\" else 1
        if end >= len(self._text):
            raise UnclosedTextError("no closing quotation")
        self._at = end + 1
        return _ANSI_C.sub(_unescaped, self._text[start:end])

    def _quoted(self) -> str:
        self._at += 1
        parts: list[str] = []
        while self._at < len(self._text) and (char := self._text[self._at]) != '"':
            if char == "\\" and self._text[self._at + 1 : self._at + 2] in ('"', "\\", "$", "`", "\n"):
                parts.append(self._text[self._at + 1].replace("\n", ""))
                self._at += 2
            else:
                parts.append(self._plain())
        if self._at >= len(self._text):
            raise UnclosedTextError("no closing quotation")
        self._at += 1
        return "".join(parts)

    def _plain(self) -> str:
        """A character, a variable, or all of a `$(…)`."""
        if self._text.startswith("$(", self._at):
            return self._substituted()
        match = _VARIABLE.match(self._text, self._at)
        if match is None:
            self._at += 1
            return self._text[self._at - 1]
        self._at = match.end()
        return self._variable(match[1] or match[2])

    def _variable(self, name: str) -> str:
        self.variables.append(name)
        return placeholder(name.upper()) if name.upper()[0] != "_" else f"${name}"

    def _substituted(self) -> str:
        """What is within `$(…)` are commands of their own, whose output is not known."""
        start, open_ones = self._at + 2, 1
        end = start
        while end < len(self._text) and open_ones:
            open_ones += {"(": 1, ")": -1}.get(self._text[end], 0)
            end += 1
        if open_ones or self._depth >= _DEEPEST:
            raise UnclosedTextError("no closing parenthesis")
        inner = _Shell(self._text[start : end - 1], self._depth + 1)
        inner.read()
        self.commands += inner.commands
        self.variables += inner.variables
        self._at = end
        return "$(…)"

    def _skip_redirection(self, end: int) -> None:
        self._end_word()
        self._at = end
        while self._at < len(self._text) and (char := self._text[self._at]) not in f" \t{_ENDS}":
            self._piece(char)

    def _take_below(self) -> None:
        for command, ends, tabs in self._below:
            lines: list[str] = []
            while self._at < len(self._text):
                end = self._line_end()
                line, self._at = self._text[self._at : end], end + 1
                line = line.lstrip("\t") if tabs else line
                if line == ends:
                    break
                lines.append(line)
            command.given = "\n".join(lines)
        self._below.clear()

    def _line_end(self) -> int:
        end = self._text.find("\n", self._at)
        return len(self._text) if end < 0 else end

    def _add(self, piece: str) -> None:
        if self._word is None:
            self._word = []
        self._word.append(piece)

    def _end_word(self) -> None:
        if self._word is not None:
            self._command.words.append("".join(self._word))
            self._word = None

    def _end_command(self) -> None:
        self._end_word()
        self.commands.append(self._command)
        self._command = ShellCommand()


def _unescaped(match: re.Match[str]) -> str:
    octal, two, four, eight, other = match.groups()
    if other is not None:
        return _ESCAPED.get(other, other if other in "\\'\"?" else f"\\{other}")
    number = int(octal, 8) & 0xFF if octal else int(two or four or eight, 16)
    return chr(number) if number <= 0x10FFFF else "\ufffd"


def _lines_of_windows(text: str) -> Sequence[str]:
    """Commands as cmd.exe hands them over: a caret takes the meaning from what follows, a line's end too."""
    return _CARET.sub(lambda match: match[1] or ("\0" if match[0].count("\n") > 1 else " "), text).split("\n")


def _words_of_windows(line: str) -> list[str]:
    """The arguments that a program of Windows finds in its command line; `UnclosedTextError` within quotes."""
    words: list[str] = []
    word: list[str] | None = None
    quoted, at = False, 0
    while at < len(line):
        char = line[at]
        if char == "\\" and (match := _SLASHES.match(line, at)):
            slashes = len(match[1])
            word = [] if word is None else word
            word.append("\\" * (slashes // 2))
            at += slashes
            if slashes % 2:
                word.append('"')
                at += 1
            continue
        if char == '"':
            word = [] if word is None else word
            if quoted and line[at + 1 : at + 2] == '"':
                word.append('"')
                at += 1
            else:
                quoted = not quoted
        elif char in " \t" and not quoted:
            words += ["".join(word)] if word is not None else []
            word = None
        else:
            word = [] if word is None else word
            word.append(char.replace("\0", "\n"))
        at += 1
    if quoted:
        raise UnclosedTextError("no closing quotation")
    return words + (["".join(word)] if word is not None else [])
