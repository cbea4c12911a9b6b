"""Default header fields, and the bytes that they become."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_BREAKS = str.maketrans({"\r": " ", "\n": " "})


def one_line(text: str) -> str:
    """A header field without line breaks, which would begin another one."""
    return text.translate(_BREAKS)


def _forgetting(name: str) -> Callable[..., Any]:
    """The dictionary's own method, after which the rendered text is made anew."""
    original = getattr(dict, name)

    def changed(self: Fields, *args: Any, **values: Any) -> Any:
        self._rendered = ""
        return original(self, *args, **values)

    return changed


class Fields(dict[str, str]):
    """Header fields that remember what they look like on the wire until somebody changes them."""

    _rendered = ""

    def rendered(self) -> str:
        """All fields, each with its line end."""
        if not self._rendered and self:
            self._rendered = "".join(one_line(f"{name}: {value}") + "\r\n" for name, value in self.items())
        return self._rendered

    __setitem__ = _forgetting("__setitem__")
    __delitem__ = _forgetting("__delitem__")
    __ior__ = _forgetting("__ior__")
    clear = _forgetting("clear")
    pop = _forgetting("pop")
    popitem = _forgetting("popitem")
    setdefault = _forgetting("setdefault")
    update = _forgetting("update")
