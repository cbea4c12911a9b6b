"""ARCHITECTURE.md: every path and module that it names is there, and the code has no circles."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "ARCHITECTURE.md").read_text()


def modules() -> dict[str, Path]:
    """The modules and packages of dbz by their dotted names."""
    found = {}
    for path in (ROOT / "dbz").rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, path: Path, known: dict[str, Path]) -> Iterator[str]:
    """What a module of dbz imports of dbz, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                imported = whole if whole in known else node.module
                if imported in known and imported != name:
                    yield imported


def test_every_path_that_is_named_exists() -> None:
    named = set(re.findall(r"`((?:dbz|configs|scenarios|docs|tests)/[\w./-]+)`", TEXT))
    assert len(named) > 40
    assert not {name for name in named if not (ROOT / name).exists()}


def test_every_module_that_is_named_exists() -> None:
    known = modules()
    named = set(re.findall(r"`(dbz(?:\.[a-z_]+)+)(?:\.[A-Z]\w+)?`", TEXT))
    assert len(named) > 15
    assert not {name for name in named if name not in known}


def test_every_room_is_in_a_layer() -> None:
    rooms = {path.parent.name for path in (ROOT / "dbz").glob("*/__init__.py")}
    layers = TEXT.split("## Layers")[1].split("## Rooms")[0]
    assert not {room for room in rooms if f"dbz.{room}" not in layers}


def test_no_module_imports_itself_by_way_of_others() -> None:
    known = modules()
    graph = {name: set(imports(name, path, known)) for name, path in known.items()}
    begun: dict[str, int] = {}
    done: set[str] = set()

    def circle(name: str, way: list[str]) -> list[str]:
        if name in done:
            return []
        if name in begun:
            return way[way.index(name) :]
        begun[name] = len(way)
        for imported in sorted(graph[name]):
            found = circle(imported, [*way, name])
            if found:
                return found
        done.add(name)
        return []

    for name in graph:
        way = circle(name, [])
        assert not way, way
