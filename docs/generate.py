"""Generate `docs/cli.md`, JSON Schemas and the tables of other pages from the program; with `--check` only compare."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import Any

import typer.main

from dbz.cli.main import app
from dbz.errors import ExitCode
from dbz.measure.budget.metrics import CATALOGUE
from dbz.report.schemas import MODELS, schema_text

ROOT = Path(__file__).parent.parent
HEADER = "# Command reference\n\nGenerated from the program by `make docs`; a test compares it with `--help`.\n"


def commands(command: Any, name: str) -> list[tuple[str, Any]]:
    """A command and everything below it, by full name."""
    found = [(name, command)]
    for sub, child in getattr(command, "commands", {}).items():
        found += commands(child, f"{name} {sub}")
    return found


def cli_reference() -> str:
    """The text of `docs/cli.md`."""
    parts = [HEADER]
    for name, command in commands(typer.main.get_command(app), "dbz"):
        settings = {**command.context_settings, "terminal_width": 100, "max_content_width": 100}
        context = command.context_class(command, info_name=name, **settings)
        parts.append(f"\n## {name}\n\n```text\n{command.get_help(context).rstrip()}\n```\n")
    return "".join(parts)


def exit_codes() -> str:
    """The exit-code table."""
    rows = [f"| {int(code)} | {code.meaning} |" for code in ExitCode]
    return "\n".join(["| code | meaning |", "| --- | --- |", *rows])


def metrics() -> str:
    """The table of what a budget can be about."""
    rows = [
        f"| `{one.name}` | {f'`{one.label}`' if one.label else ''} | {', '.join(one.stats)} | {one.about} |"
        for one in CATALOGUE.values()
    ]
    return "\n".join(["| metric | label | statistics | what it is |", "| --- | --- | --- | --- |", *rows])


def about(path: Path) -> str:
    """The first paragraph of a module's docstring, or of a package's."""
    module = path / "__init__.py" if path.is_dir() else path
    text = ast.get_docstring(ast.parse(module.read_text())) or ""
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|")


def rooms() -> str:
    """For each room of the package a table: each of its files and folders, and what it is for."""
    package = ROOT / "dbz"
    parts = ["| beside the rooms | |", "| --- | --- |"]
    parts += [f"| `{path.name}` | {about(path)} |" for path in sorted(package.glob("*.py")) if path.stem != "__init__"]
    for room in sorted(path for path in package.iterdir() if (path / "__init__.py").exists()):
        parts += ["", f"### `dbz/{room.name}`", "", about(room), "", "| | |", "| --- | --- |"]
        inside = sorted(room.iterdir(), key=lambda path: (path.is_file(), path.name))
        for path in inside:
            if (path / "__init__.py").exists() or (path.suffix == ".py" and path.stem != "__init__"):
                parts.append(f"| `{path.name}{'/' if path.is_dir() else ''}` | {about(path)} |")
    return "\n".join(parts)


def with_recipes(text: str) -> str:
    """The page about CI with the files of docs/ci in it."""
    for name in ("github-actions", "gitlab-ci"):
        recipe = (ROOT / "docs" / "ci" / f"{name}.yml").read_text().rstrip()
        text = with_block(text, name, f"```yaml\n{recipe}\n```")
    return text


def with_block(text: str, name: str, body: str) -> str:
    """The text with what stands between two marker comments replaced."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(\n<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"no block '{name}' in: {text[:60]}…")
    return pattern.sub(lambda match: match[1] + body + match[2], text)


def main() -> int:
    """Write the files, or with `--check` say which of them are out of date."""
    readme, budgets, ci = ROOT / "README.md", ROOT / "docs" / "budgets.md", ROOT / "docs" / "ci.md"
    architecture = ROOT / "ARCHITECTURE.md"
    schemas = {ROOT / "docs" / "schemas" / f"{name}.schema.json": schema_text(name) for name in MODELS}
    wanted = schemas | {
        ROOT / "docs" / "cli.md": cli_reference(),
        readme: with_block(readme.read_text(), "exit-codes", exit_codes()),
        budgets: with_block(budgets.read_text(), "metrics", metrics()),
        ci: with_recipes(ci.read_text()),
        architecture: with_block(architecture.read_text(), "rooms", rooms()),
    }
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    if "--check" not in sys.argv:
        for path in stale:
            path.write_text(wanted[path])
        return 0
    for path in stale:
        sys.stderr.write(f"{path.relative_to(ROOT)} is out of date: run `make docs`\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
