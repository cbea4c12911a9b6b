"""The documentation: every link leads somewhere, the site has every page, and its check finds what is wrong."""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.packaging.test_names import ROOT, tracked

DOCS = ROOT / "docs"


def tokens(path: Path) -> list[Token]:
    """What a page consists of, without the levels."""
    return [
        one for token in MarkdownIt().enable("table").parse(path.read_text()) for one in (token.children or [token])
    ]


@cache
def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as repository hosts and the site make them."""
    found: Counter[str] = Counter()
    for heading in re.findall(r"(?m)^#{1,6} (.*?)\s*$", re.sub(r"(?ms)^```.*?^```", "", path.read_text())):
        slug = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")
        found[f"{slug}-{found[slug]}" if found[slug] else slug] += 1
    return set(found)


def leads_nowhere(link: str, page: Path) -> bool:
    """Whether a link of a page names a file or an anchor that is not there; addresses of others are not asked."""
    if re.match(r"https://\w|mailto:", link):
        return False
    name, _, anchor = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    return not target.exists() or bool(anchor and target.suffix == ".md" and anchor not in anchors(target))


def dead_links(page: Path) -> list[str]:
    """The links and pictures of a page that lead nowhere."""
    wanted = [str(token.attrs.get("href") or token.attrs.get("src")) for token in tokens(page) if token.type in _LINKS]
    return [link for link in wanted if leads_nowhere(link, page)]


_LINKS = ("link_open", "image")


def test_every_link_of_a_page_leads_somewhere() -> None:
    pages = tracked("*.md", ":!tests/*")
    assert len(pages) > 20
    found = {str(page.relative_to(ROOT)): dead_links(page) for page in pages}
    assert not {page: links for page, links in found.items() if links}


def test_a_dead_link_would_be_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One `two`\n\n[a](#one-two) [b](#three) [c](none.md) ![d](none.svg)\n\n| [e](page.md#one) |\n| --- |\n"
    )
    assert dead_links(page) == ["#three", "none.md", "none.svg", "page.md#one"]


def test_the_site_has_every_page_once() -> None:
    listed = re.findall(
        r"(?m)^([\w/-]+)$", "".join(re.findall(r"(?s)```{toctree}(.*?)```", (DOCS / "index.md").read_text()))
    )
    pages = [str(page.relative_to(DOCS).with_suffix("")) for page in tracked("docs/*.md")]
    assert Counter(listed) == Counter(set(pages) - {"index"})


def test_the_figures_in_short_are_those_of_the_tables_below() -> None:
    _, short, rest = re.split(r"<!-- /?five-figures -->", (DOCS / "figures.md").read_text())
    numbers = set(re.findall(r"\d[\d,.]*\d", short))
    assert len(numbers) > 10
    assert not {number for number in numbers if number not in rest}


@pytest.fixture(scope="module")
def check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check", DOCS / "site" / "check.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("html", "fault"),
    [
        ('<a href="none.html">', "a.html: none.html: there is no such file"),
        ('<a href="b.html#none">', "a.html: b.html#none: there is no such anchor"),
        ('<img src="none.svg">', "a.html: none.svg: there is no such file"),
        (
            '<link rel="stylesheet" href="https://fonts.example/x.css">',
            "a.html: loads https://fonts.example/x.css from",
        ),
        ('<a href="http://example.org/">', "a.html: http://example.org/: is neither https nor mailto"),
        ('<a href="https:///x">', "a.html: https:///x: has no host"),
    ],
)
def test_the_check_of_the_site_finds(check: ModuleType, tmp_path: Path, html: str, fault: str) -> None:
    (tmp_path / "a.html").write_text(f'<h1 id="top">A</h1><a href="b.html#there">b</a><a href="#top">top</a>{html}')
    (tmp_path / "b.html").write_text(
        '<p id="there"><a href="a.html">a</a> <a href="https://example.org/">others</a></p>'
    )
    found = check.faults_of_site(tmp_path)
    assert len(found) == 1 and found[0].startswith(fault), found


def test_the_check_of_the_site_is_content_with_what_is_right(check: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<h1 id="top">A</h1><a href="#top">a</a><img src="data:image/png;base64,AA==">')
    assert check.faults_of_site(tmp_path) == []
