"""Values that an answer brought and a later request uses: tokens, ids, cursors. A run takes them from its own answers.

A value of a request is looked up among the values of earlier answers of the same user. What the user itself had sent
before, such as a name that an answer only repeats, is no correlation; nor are numbers and short texts, unless their
keys say that they identify something.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any

from dbz.bring import names
from dbz.bring.recording import JSON, Exchange, GivenValue, placeholder_variable, placeholders_in
from dbz.bring.steps import Keep
from dbz.bring.values import Expression, Formatted, Location, json_path, leaves, lookup, quoted

_SHORT = 6
"""A number, or a text that is shorter, is only taken for another one when both their keys identify something."""
_SHORTEST_WITHOUT_KEY = 8
"""A text under a key that says nothing must be at least this long, and hold a digit."""
_SHORTEST_INSIDE = 6
"""A text is looked for inside other texts from this length on."""
_DIGIT = re.compile(r"\d")
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
    location: Location = ()
    """Where it stands in what `code` gives: of the hundreds of thousands of values of a large recording few are used,
    so that only these are put into words."""
    otherwise: str | None = None

    @property
    def whole_code(self) -> str:
        """How to take it, down to its place."""
        return self.code + lookup(self.location)


class Correlation:
    """The values that one user has seen so far, and has sent so far."""

    def __init__(self) -> None:
        self._origins: dict[str, ValueOrigin] = {}
        self._inside: defaultdict[str, list[str]] = defaultdict(list)  # by how they begin
        self._plain: dict[str, ValueOrigin] = {}  # what could be a word like any other, unless it is sent as a secret
        self._sent: set[str] = set()
        self._attributes: set[str] = set()
        self._numbers: dict[str, int] = {}  # by name of an attribute: the first number that may be free

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
            if isinstance(value, bool) or value is None:
                continue
            text = str(value)
            if _is_worth(key, value):
                if text not in self._origins:
                    self._add(text, ValueOrigin(key, code, keeps, resource, location=location))
            elif _may_be_secret(value) and text not in self._sent:
                self._plain.setdefault(text, ValueOrigin(key, code, keeps, resource, location=location))

    def learn_given(self, given: GivenValue, keeps: list[Keep]) -> None:
        """Remember a value that an answer brings as the material says."""
        location, code = given.location, "answer.json()"
        if "*" in location:
            otherwise = f", {quoted(given.otherwise)}" if given.otherwise is not None else ""
            location, code = (), f"self.pick(answer, {quoted(json_path(location))}{otherwise})"
        self._add(given.text, ValueOrigin(given.name, code, keeps, "", "", location, given.otherwise))

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
            self._inside[text[:_SHORTEST_INSIDE]].append(text)

    def note_sent(self, tree: Any) -> None:
        """Remember what the user sends of its own accord."""
        self._sent.update(str(value) for _, value in leaves(tree) if not isinstance(value, Expression | Formatted))

    def used(self, key: str, value: Any) -> Any:
        """The value as the scenario writes it: as it is, or taken from an earlier answer, as a whole or in part."""
        if isinstance(value, bool) or value is None or not isinstance(value, str | int):
            return value
        text = str(value)
        origin = self._origins.get(text)
        if origin is not None and (placeholder_variable(text) or _goes_with(key, origin.key, text)):
            return Expression(self._take(origin))
        if not isinstance(value, str):
            return value
        parts = list(self._parts(text))
        return Formatted(parts) if any(isinstance(part, Expression) for part in parts) else value

    def secret(self, text: str) -> Expression | None:
        """A text that is sent as a secret, taken from the earlier answer that brought it, under whatever key."""
        origin = self._origins.get(text) or self._plain.get(text)
        return Expression(self._take(origin)) if origin else None

    def _parts(self, text: str) -> Iterator[str | Expression]:
        """A text with the values in it that came from answers, the longest first."""
        longest = max(self._matches(text), key=len, default="")
        if not longest:
            yield text
            return
        before, _, after = text.partition(longest)
        if before:
            yield from self._parts(before)
        yield Expression(self._take(self._origins[longest]))
        if after:
            yield from self._parts(after)

    def _matches(self, text: str) -> Iterator[str]:
        """The values of answers that stand in a text; there may be many thousands of them to look for."""
        yield from (given for given in placeholders_in(text) if given in self._origins)  # however short
        for place in range(len(text) - _SHORTEST_INSIDE + 1):
            for value in self._inside.get(text[place : place + _SHORTEST_INSIDE], ()):
                if text.startswith(value, place):
                    yield value

    def _take(self, origin: ValueOrigin) -> str:
        if origin.keeps is None:
            return origin.whole_code
        if not origin.attribute:
            origin.attribute = self._free_attribute(origin)
            origin.keeps.append(Keep(origin.attribute, origin.whole_code, origin.otherwise))
        return f"self.{origin.attribute}"

    def _free_attribute(self, origin: ValueOrigin) -> str:
        key = names.snake(origin.key)
        resource = _thing(origin.location) or origin.resource
        base = f"{names.snake(resource)}_{key}" if key in ("id", "key", "value") and resource else key
        name, number = base, self._numbers.get(base, 2)
        while name in self._attributes or name in _TAKEN:
            name, number = f"{base}_{number}", number + 1
        self._numbers[base] = number
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
    "check",
    "count",
    "measure",
    "pick",
    "shared",
    "state",
    "arrival",
    "tasks",
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


def _may_be_secret(value: Any) -> bool:
    return isinstance(value, str) and len(value) >= _SHORTEST_WITHOUT_KEY and " " not in value


def _is_worth(key: str, value: Any) -> bool:
    if names.is_id_key(key):
        return True
    return _may_be_secret(value) and _DIGIT.search(value) is not None
