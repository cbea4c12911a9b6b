"""Check the built site: every link, anchor and picture leads somewhere, and nothing is loaded from other hosts.

Sphinx warns of dead links between pages. This looks at the rest: links of the theme, pictures, copied files.
Of addresses of others only the form is checked, so that no network is needed.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src", "object": "data"}
_WORDS_OF_LINKS_ONLY = {"canonical", "index", "search", "next", "prev", "author"}


class Page(HTMLParser):
    """What one HTML page offers and wants."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        """Where it leads when somebody clicks."""
        self.loads: list[str] = []
        """What a browser fetches by itself."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the anchor, link or resource of a tag."""
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if values.get(name)}
        address = values.get(_LOADED.get(tag, ""))
        if address is not None and values.get("rel") not in _WORDS_OF_LINKS_ONLY:
            self.loads.append(address)
        elif "href" in values:
            self.links.append(values["href"])


def read_page(path: Path) -> Page:
    """A page of the site."""
    page = Page()
    page.feed(path.read_text())
    return page


def faults_of_site(folder: Path) -> list[str]:
    """One sentence for each link in the site that leads nowhere, and for each thing that comes from another host."""
    pages = {path.resolve(): read_page(path) for path in sorted(folder.rglob("*.html"))}
    faults = []
    for path, page in pages.items():
        where = path.relative_to(folder.resolve())
        faults += [f"{where}: loads {one} from another host" for one in page.loads if _is_elsewhere(one)]
        for link in page.links + page.loads:
            fault = _fault_elsewhere(link) if _is_elsewhere(link) else _fault_here(link, path, pages)
            if fault:
                faults.append(f"{where}: {link}: {fault}")
    return faults


def _is_elsewhere(link: str) -> bool:
    parts = urlsplit(link)
    return bool(parts.scheme and parts.scheme != "data") or bool(parts.netloc)


def _fault_elsewhere(link: str) -> str | None:
    parts = urlsplit(link)
    if parts.scheme not in ("https", "mailto"):
        return "is neither https nor mailto"
    return None if parts.netloc or parts.scheme == "mailto" else "has no host"


def _fault_here(link: str, path: Path, pages: dict[Path, Page]) -> str | None:
    parts = urlsplit(link)
    if parts.scheme == "data":
        return None
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return "there is no such file"
    anchor = unquote(parts.fragment)
    known = target not in pages or not anchor or anchor in pages[target].anchors
    return None if known else "there is no such anchor"


def main() -> int:
    """Check the folder that is named; 1 when something leads nowhere."""
    faults = faults_of_site(Path(sys.argv[1]))
    sys.stderr.writelines(f"{fault}\n" for fault in faults)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
