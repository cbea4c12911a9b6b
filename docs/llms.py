"""The text of `llms.txt`: every page of the documentation with what it is about, in the form of llmstxt.org."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

DOCS = Path(__file__).parent
_ABOUT = """\
# dbz

> A command line for SREs: it load-tests the backend of a real-time app (HTTP, Socket.IO, WebSockets, pages), judges
> the run by performance budgets with an exit code that CI can gate on, and looks after what runs it: scaling, cache,
> shards, monitoring.

Whoever lets a tool write scenarios, profiles or budgets begins with AGENTS.md of the repository: rules, examples, and
the commands that check them.
"""


def llms_text(address: Callable[[str], str]) -> str:
    """The file; `address` makes the address of a page out of its name, such as `howto/gate`."""
    parts = [_ABOUT]
    for caption, names in _sections():
        lines = [f"- [{title}]({address(name)}): {about}" for name in names for title, about in [_page(name)]]
        parts.append("\n".join([f"## {caption}", "", *lines, ""]))
    return "\n".join(parts)


def listed_pages() -> list[str]:
    """The names of the pages in `docs/index.md`, in its order."""
    return [name for _, names in _sections() for name in names]


def _sections() -> list[tuple[str, list[str]]]:
    found = re.findall(
        r"```{toctree}\n:caption: (.*?)\n:maxdepth: 1\n(.*?)```", (DOCS / "index.md").read_text(), re.DOTALL
    )
    return [(caption, names.split()) for caption, names in found]


def _page(name: str) -> tuple[str, str]:
    """The title of a page, and its first sentence without links."""
    heading, *paragraphs = re.sub(r"(?ms)^```.*?^```", "", (DOCS / f"{name}.md").read_text()).split("\n\n")
    first = next(" ".join(text.split()) for text in paragraphs if text.strip())
    sentence = re.split(r"(?<=[.?])\s", re.sub(r"\[(.*?)\]\(.*?\)", r"\1", first))[0]
    return heading.strip().removeprefix("# "), re.sub(r":$", ".", sentence)
