"""Values that an answer brought and a later request uses: tokens, ids, cursors. A run takes them from its own answers.

A value of a request is looked up among the values of earlier answers of the same user. What the user itself had sent
before, such as a name that an answer only repeats, is no correlation; nor are numbers and short texts, unless their
keys say that they identify something.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any

from dbz.bring import names
from dbz.bring.recording import JSON, Exchange
from dbz.bring.steps import Keep
from dbz.bring.values import Expression, Formatted, Location, leaves, lookup

_SHORT = 6
"""A number, or a text that is shorter, is only taken for another one when both their keys identify something."""
_SHORTEST_WITHOUT_KEY = 8
"""A text under a key that says nothing must be at least this long, and hold a digit."""
_SHORTEST_INSIDE = 6
"""A text is looked for inside other texts from this length on."""
_HIDDEN_FIELD = re.compile(r"<input\b[^>]*>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""\b(name|value)\s*=\s*["']([^"']*)["']""", re.IGNORECASE)


@dataclass
class ValueOrigin:
    """Where a value first came from."""

    key: str
    code: str
    """How to take it from what came; for a cookie, how to ask the client for it."""
    keeps: list[Keep] | None
    """Where the step that brings it lists what is kept of it; None when nothing need be kept."""
    resource: str = ""
    attribute: str = ""


class Correlation:
    """The values that one user has seen so far, and has sent so far."""

    def __init__(self) -> None:
        self._origins: dict[str, ValueOrigin] = {}
        self._inside: list[str] = []
        self._sent: set[str] = set()
        self._attributes: set[str] = set()

    def learn_answer(self, exchange: Exchange, keeps: list[Keep]) -> None:
        """Remember what an answer brings; what is used later is noted in `keeps`."""
        resource = names.singular(exchange.path.rstrip("/").rpartition("/")[2])
        if exchange.answer.kind == JSON:
            self.learn(exchange.answer.value, "answer.json()", keeps, resource)
        elif isinstance(exchange.answer.value, str) and "<input" in exchange.answer.value:
            self._learn_form(exchange.answer.value, keeps)
        for name, value in exchange.answer_headers:
            if name == "set-cookie":
                self._learn_cookies(value)
            elif name == "location":
                self._add(value.rstrip("/").rpartition("/")[2], ValueOrigin(
                    f"{resource}_id", f'answer.headers["{name}"].rstrip("/").rpartition("/")[2]', keeps
                ))  # fmt: skip
            elif names.is_id_key(name):
                self._add(value, ValueOrigin(name, f'answer.headers["{name}"]', keeps))

    def learn(self, tree: Any, code: str, keeps: list[Keep], resource: str = "") -> None:
        """Remember the values of a tree, which `code` gives when the scenario runs."""
        for location, value in leaves(tree):
            key = _last_key(location)
            if isinstance(value, bool) or value is None or not _is_worth(key, value):
                continue
            self._add(str(value), ValueOrigin(key, code + lookup(location), keeps, _thing(location) or resource))

    def _learn_form(self, text: str, keeps: list[Keep]) -> None:
        """Remember the hidden fields of an HTML form, such as a token against forged requests."""
        for field in _HIDDEN_FIELD.findall(text):
            found = {name.lower(): value for name, value in _ATTRIBUTE.findall(field)}
            if found.get("name") and found.get("value"):
                ahead = field.replace(found["value"], "\0")
                before, _, after = re.escape(ahead).partition("\0")
                pattern = f"{before}([^\"']*){after}"
                self._add(
                    found["value"], ValueOrigin(found["name"], f"re.search(r'''{pattern}''', answer.text)[1]", keeps)
                )

    def _learn_cookies(self, header: str) -> None:
        cookies = SimpleCookie()
        try:
            cookies.load(header)
        except CookieError:
            return
        for name, morsel in cookies.items():
            self._add(morsel.value, ValueOrigin(name, f'self.client.cookies.get("{name}")', None))

    def _add(self, text: str, origin: ValueOrigin) -> None:
        if not text or text in self._sent or text in self._origins:
            return
        self._origins[text] = origin
        if len(text) >= _SHORTEST_INSIDE:
            self._inside.append(text)

    def note_sent(self, tree: Any) -> None:
        """Remember what the user sends of its own accord."""
        self._sent.update(str(value) for _, value in leaves(tree) if not isinstance(value, Expression | Formatted))

    def used(self, key: str, value: Any) -> Any:
        """The value as the scenario writes it: as it is, or taken from an earlier answer, as a whole or in part."""
        if isinstance(value, bool) or value is None or not isinstance(value, str | int):
            return value
        text = str(value)
        origin = self._origins.get(text)
        if origin is not None and _goes_with(key, origin.key, text):
            return Expression(self._take(origin))
        if not isinstance(value, str):
            return value
        parts = list(self._parts(text))
        return Formatted(parts) if any(isinstance(part, Expression) for part in parts) else value

    def _parts(self, text: str) -> Iterator[str | Expression]:
        """A text with the values in it that came from answers, the longest first."""
        matches = [value for value in self._inside if value in text]
        if not matches:
            yield text
            return
        longest = max(matches, key=len)
        before, _, after = text.partition(longest)
        if before:
            yield from self._parts(before)
        yield Expression(self._take(self._origins[longest]))
        if after:
            yield from self._parts(after)

    def _take(self, origin: ValueOrigin) -> str:
        if origin.keeps is None:
            return origin.code
        if not origin.attribute:
            origin.attribute = self._free_attribute(origin)
            origin.keeps.append(Keep(origin.attribute, origin.code))
        return f"self.{origin.attribute}"

    def _free_attribute(self, origin: ValueOrigin) -> str:
        key = names.snake(origin.key)
        base = f"{names.snake(origin.resource)}_{key}" if key in ("id", "key", "value") and origin.resource else key
        name, number = base, 2
        while name in self._attributes or name in _TAKEN:
            name, number = f"{base}_{number}", number + 1
        self._attributes.add(name)
        return name


_WRAPPERS = {"items", "data", "results", "result", "list", "rows", "content", "response", "payload"}
"""Keys that say nothing about what they hold."""
_TAKEN = {
    "client",
    "host",
    "seat",
    "random",
    "session",
    "socket",
    "deliveries",
    "recorder",
    "environment",
    "weight",
    "pause",
}
"""Attributes that our users have already."""


def _last_key(location: Location) -> str:
    return next((key for key in reversed(location) if isinstance(key, str)), "")


def _thing(location: Location) -> str:
    """What the object around a value is, by the key that it stands under; empty where that says nothing."""
    keys = [key for key in location[:-1] if isinstance(key, str)]
    return names.singular(keys[-1]) if keys and keys[-1] not in _WRAPPERS else ""


def _goes_with(key: str, origin_key: str, text: str) -> bool:
    """Whether a value under one key may be the equal one that came under another: a page 1 is no user 1."""
    if text.isdigit() or len(text) < _SHORT:
        return names.is_id_key(key) and names.is_id_key(origin_key)
    return True


def _is_worth(key: str, value: Any) -> bool:
    if names.is_id_key(key):
        return True
    return (
        isinstance(value, str)
        and len(value) >= _SHORTEST_WITHOUT_KEY
        and any(char.isdigit() for char in value)
        and " " not in value
    )
