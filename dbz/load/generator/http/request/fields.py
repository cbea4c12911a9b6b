"""Default header fields, and the bytes that they become."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_BREAKS = str.maketrans({"\r": " ", "\n": " "})


def one_line(text: str) -> str:
    """A header field without line breaks, which would begin another one."""
    return text if text.isprintable() else text.translate(_BREAKS)


def _forgetting(name: str) -> Callable[..., Any]:
    """The dictionary's own method, after which the rendered text is made anew."""
    original = getattr(dict, name)

    def changed(self: HeaderFields, *args: Any, **values: Any) -> Any:
        self._rendered = ""
        return original(self, *args, **values)

    return changed


class HeaderFields(dict[str, str]):
    """Header fields that remember what they look like on the wire until somebody changes them."""

    _rendered = ""

    def rendered(self, host: str) -> str:
        """All fields, each with its line end, after a Host field unless there is one among them."""
        if not self._rendered:
            fields = self if self.has("host") else {"Host": host, **self}
            self._rendered = "".join(
                one_line(f"{_text(name)}: {_text(value)}") + "\r\n"
                for name, value in fields.items()
                if value is not None
            )
        return self._rendered

    def with_fields(self, given: Mapping[str, str | bytes | None] | None) -> dict[str, str]:
        """These fields and those of one request, which win whatever the case of their names; None takes one away."""
        own = {name: value for name, value in self.items() if value is not None}
        if not given:
            return own
        fields = {_text(name): value for name, value in given.items()}
        names = {name.lower() for name in fields}
        kept = {name: value for name, value in own.items() if name.lower() not in names}
        return {**kept, **{name: _text(value) for name, value in fields.items() if value is not None}}

    def has(self, name: str) -> bool:
        """Whether there is a field of this lower-case name."""
        return any(_text(field).lower() == name for field in self)

    __setitem__ = _forgetting("__setitem__")
    __delitem__ = _forgetting("__delitem__")
    __ior__ = _forgetting("__ior__")
    clear = _forgetting("clear")
    pop = _forgetting("pop")
    popitem = _forgetting("popitem")
    setdefault = _forgetting("setdefault")
    update = _forgetting("update")


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
