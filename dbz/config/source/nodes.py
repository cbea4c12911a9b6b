"""YAML text to nodes and plain data, within limits: no text costs more than reading it, and each fault has its line.

PyYAML alone follows aliases and brackets as deep as they go (517 bytes can stand for 4.7 GB), and lets fly out whatever
Python's own parsers of numbers and dates raise, without saying where.
"""

from __future__ import annotations

import contextlib
from collections.abc import Hashable, Iterator
from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError
from yaml.reader import ReaderError

MAX_DEPTH = 100
"""How deep values may lie within each other, aliases followed."""
MAX_VALUES = 20_000
"""How many values a text may have, keys among them: each costs a tenth of a millisecond, and a kilobyte meanwhile."""
MAX_ALIASED = 100_000
"""How many values the aliases of a text may add to those that are written there."""
_MOST_DIGITS = 100
_PREFIX = "tag:yaml.org,2002:"
_KINDS = {
    "null": "null",
    "bool": "yes or no",
    "int": "number",
    "float": "number",
    "str": "text",
    "timestamp": "date; quote it if it is a text",
    "seq": "list",
    "map": "mapping",
    "merge": "merge key",
}


_ADVICE = {
    "scanning a block scalar": "quote a value that begins with > or |",
    "but got '{'": "quote a value with { } in it",
    "that cannot start any token": "indent with spaces, and quote a value that begins with a sign",
}
"""What most likely was meant, by what the library says."""


class YamlFaultError(Exception):
    """What is wrong with a text, and on which line, counted from 1."""

    def __init__(self, what: str, line: int) -> None:
        super().__init__(what)
        self.what = what
        self.line = line


class Document:
    """The nodes of one YAML text; `YamlFaultError` when it is malformed, or goes beyond the limits."""

    def __init__(self, text: str, most_values: int = MAX_VALUES) -> None:
        with _located(text, None):
            loader = _Loader(text, most_values)
        with _located(text, loader):
            self.root = loader.get_single_node()
        if self.root is not None:
            _measure(self.root)

    def data(self) -> Any:
        """The plain data: mappings by the text of their keys, lists, texts, numbers, yes and no, dates, null."""
        with _located("", None):
            return _Loader("", 0).construct_document(self.root)


class _Loader(yaml.SafeLoader):
    """Composes no deeper than allowed, and constructs plain data only."""

    def __init__(self, text: str, most_values: int) -> None:
        super().__init__(text)
        self._depth = 0
        self._most_values = self._left = most_values

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ComposerError(None, None, _too_deep(), self.peek_event().start_mark)  # type: ignore[no-untyped-call]
        self._left -= 1
        if self._left < 0:
            what = f"there are more than {self._most_values:,} values"
            raise ComposerError(None, None, what, self.peek_event().start_mark)  # type: ignore[no-untyped-call]
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        kind = node.tag.removeprefix(_PREFIX)
        if kind not in _KINDS:
            raise ConstructorError(None, None, f"the tag '{node.tag[:60]}' is not used here", node.start_mark)
        try:
            if kind in ("int", "float") and len(node.value) > _MOST_DIGITS:
                raise ValueError("more digits than any number needs")
            return super().construct_object(node, deep)
        except yaml.MarkedYAMLError:
            raise
        except Exception as error:  # numbers, dates and tags that do not fit their text: of any type
            shown = f"{node.value[:40]}…" if len(node.value) > 40 else node.value
            raise ConstructorError(None, None, f"'{shown}' is no valid {_KINDS[kind]}", node.start_mark) from error

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        # The text of a key is its name, as in JSON: `200:`, `on:` and `2026-01-01:` are no number, yes or date.
        self.flatten_mapping(node)
        return {key.value: self.construct_object(value, deep=deep) for key, value in node.value}


@contextlib.contextmanager
def _located(text: str, loader: Any) -> Iterator[None]:
    """Turn whatever the library raises into a `YamlFaultError`."""
    try:
        yield
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = f"{error.problem} ({error.context})" if error.context else str(error.problem)
        what += next((f"; {advice}" for sign, advice in _ADVICE.items() if sign in what), "")
        raise YamlFaultError(f"malformed YAML: {what}", mark.line + 1 if mark else 1) from error
    except ReaderError as error:
        what = f"malformed YAML: the character U+{int(error.character):04X} may not stand in a text file"
        raise YamlFaultError(what, text.count("\n", 0, error.position) + 1) from error
    except Exception as error:  # escapes such as \UFFFFFFFF, and version numbers of thousands of digits
        raise YamlFaultError(f"malformed YAML: {error}", loader.line + 1 if loader else 1) from error


def _measure(root: yaml.Node) -> None:
    """Check how much there would be if every alias were written out, without writing any out.

    A node that several aliases share is measured once, after the nodes within it (hence the stack by hand: a recursion
    would end in Python's own limit before ours).
    """
    sizes: dict[int, int] = {}
    depths: dict[int, int] = {}
    above = {id(root)}
    stack = [(root, iter(_within(root)))]
    while stack:
        node, rest = stack[-1]
        inner = next(rest, None)
        if inner is not None:
            if id(inner) in above:
                raise YamlFaultError("a value contains itself", inner.start_mark.line + 1)
            if id(inner) not in sizes:
                above.add(id(inner))
                stack.append((inner, iter(_within(inner))))
            continue
        stack.pop()
        above.discard(id(node))
        children = [id(child) for child in _within(node)]
        sizes[id(node)] = 1 + sum(sizes[child] for child in children)
        depths[id(node)] = 1 + max((depths[child] for child in children), default=0)
        if sizes[id(node)] > len(sizes) + MAX_ALIASED:
            raise YamlFaultError(f"aliases make more than {MAX_ALIASED:,} values of this", node.start_mark.line + 1)
        if depths[id(node)] > MAX_DEPTH:
            raise YamlFaultError(f"malformed YAML: {_too_deep()}", node.start_mark.line + 1)


def _within(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _too_deep() -> str:
    return f"values lie more than {MAX_DEPTH} deep within each other"
