"""Generate `docs/cli.md`, JSON Schemas and the tables of other pages from the program; with `--check` only compare."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import Any

import typer.main
from error_codes import errors_page, faults_of_codes
from llms import listed_pages, llms_text

from dbz.cli.help.topics import help_page
from dbz.cli.main import app
from dbz.cli.schema import schema_texts
from dbz.config.schemas import config_schema
from dbz.errors import ExitCode
from dbz.measure.budget.metrics import CATALOGUE
from dbz.report.schemas import MODELS, schema_text
from dbz.targets.standard import RULES, Figure

ROOT = Path(__file__).parent.parent
FIGURED = ("comparison.md", "why/intended-start.md")
"""Pages with tables of figures."""
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


def standard_metrics() -> str:
    """The table of the metrics whose names are known."""
    metric = {"cpu": "server.cpu", "memory": "server.memory", "queries": "server.query"}
    rows = []
    for figure in Figure:
        rules = [rule for rule in RULES if rule.figure is figure and not rule.name.startswith("dbz_")]
        names = ", ".join(f"`{rule.name}`" for rule in rules)
        rows.append(f"| `{metric.get(figure.value, f'server.{figure.value}')}` | `{figure.value}` | {names} |")
    return "\n".join(["| budgets | key of `metrics` | metrics, the best first |", "| --- | --- | --- |", *rows])


def profile_keys() -> str:
    """The tables of all keys of a profile, one for each mapping in it."""
    schema = config_schema("profile")
    parts = ["### The profile itself", "", schema["description"], "", *_key_rows(schema)]
    for name, part in schema["$defs"].items():
        title = _TITLES.get(name)
        if title:
            parts += ["", f"### {title}", "", part["description"], "", *_key_rows(part)]
    return "\n".join(parts)


_TITLES = {
    "StageEntry": "An entry of `stages`",
    "TargetMetrics": "`metrics`",
    "NamedFigure": "A figure of `metrics`",
    "NamedBreakers": "`breakers` of `metrics`",
    "StackProfile": "`stack`",
    "PageEntry": "A page below `pages`",
    "NetworkTerms": "A network below `networks`",
    "OutageTerms": "`outages` of a network",
}


def _key_rows(schema: dict[str, Any]) -> list[str]:
    rows = ["| key | what is written | without it | what it is |", "| --- | --- | --- | --- |"]
    for key, part in schema["properties"].items():
        needed = key in schema.get("required", ())
        default = part.get("default")
        without = "must be there" if needed else "" if default in (None, "", [], {}) else f"`{default}`"
        rows.append(f"| `{key}` | {_written(part)} | {without} | {part.get('description', '').replace('|', ' or ')} |")
    return rows


def _written(part: dict[str, Any]) -> str:
    """What may be written for a key, in words."""
    if "anyOf" in part:
        return " or ".join(_written(one) for one in part["anyOf"] if one.get("type") != "null")
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        return f"a mapping: {_TITLES[name][0].lower()}{_TITLES[name][1:]}"
    if "enum" in part or "const" in part:
        return ", ".join(f"`{value}`" for value in part.get("enum", [part.get("const")]))
    if part["type"] == "object":
        return f"a mapping of names, each to {_written(part['additionalProperties'])}"
    if part["type"] == "array":
        return f"a list: {_written(part['items'])}"
    if "examples" in part:
        return "like " + ", ".join(f"`{one}`" for one in part["examples"])
    return {"integer": "a whole number", "number": "a number", "string": "text", "boolean": "true or false"}[
        part["type"]
    ] + _bounds(part)


def _bounds(part: dict[str, Any]) -> str:
    low, high = part.get("minimum"), part.get("maximum")
    if "exclusiveMaximum" in part:  # of whole numbers
        high = part["exclusiveMaximum"] - 1
    above = part.get("exclusiveMinimum")
    if low is not None and high is not None:
        return f", {low:,} to {high:,}"
    return f" above {above:,}" if above is not None else f", at least {low:,}" if low is not None else ""


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


def with_figures(text: str) -> str:
    """A page whose tables of figures are those of docs/figures.md, where it has marked a place for them."""
    figures = (ROOT / "docs" / "figures.md").read_text()
    for name, body in re.findall(r"<!-- ([\w-]+) -->\n(.*?)\n<!-- /\1 -->", figures, re.DOTALL):
        if f"<!-- {name} -->" in text:
            text = with_block(text, name, body)
    return text


def with_recipes(text: str) -> str:
    """The page about CI with the files of docs/ci in it."""
    for name in ("github-actions", "gitlab-ci"):
        recipe = (ROOT / "docs" / "ci" / f"{name}.yml").read_text().rstrip()
        text = with_block(text, name, f"```yaml\n{recipe}\n```")
    return text


def with_block(text: str, name: str, body: str) -> str:
    """The text with what stands between two marker comments replaced."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"no block '{name}' in: {text[:60]}…")
    return pattern.sub(lambda match: f"{match[1]}{body}\n{match[2]}", text)


def faults_of_pages() -> list[str]:
    """One sentence for each page that the site would not show."""
    docs = ROOT / "docs"
    lost = {str(page.relative_to(docs).with_suffix("")) for page in docs.rglob("*.md")} - {"index", *listed_pages()}
    return [f"docs/{name}.md is not listed in docs/index.md" for name in sorted(lost)]


def main() -> int:
    """Write the files, or with `--check` say which of them are out of date."""
    readme, budgets, ci = ROOT / "README.md", ROOT / "docs" / "budgets.md", ROOT / "docs" / "ci.md"
    architecture, targets = ROOT / "ARCHITECTURE.md", ROOT / "docs" / "targets.md"
    texts = {name: schema_text(name) for name in MODELS} | schema_texts()
    schemas = {ROOT / "docs" / "schemas" / f"{name}.schema.json": text for name, text in texts.items()}
    profiles = ROOT / "docs" / "profiles.md"
    wanted = schemas | {
        ROOT / "docs" / "cli.md": cli_reference(),
        ROOT / "docs" / "errors.md": errors_page(),
        ROOT / "docs" / "help.md": help_page(),
        ROOT / "llms.txt": llms_text(lambda name: f"docs/{name}.md"),
        readme: with_figures(with_block(readme.read_text(), "exit-codes", exit_codes())),
        budgets: with_block(budgets.read_text(), "metrics", metrics()),
        ci: with_recipes(ci.read_text()),
        profiles: with_block(profiles.read_text(), "keys", profile_keys()),
        targets: with_block(targets.read_text(), "standard-metrics", standard_metrics()),
        architecture: with_block(architecture.read_text(), "rooms", rooms()),
    }
    wanted |= {page: with_figures(page.read_text()) for page in (ROOT / "docs" / name for name in FIGURED)}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    if "--check" not in sys.argv:
        for path in stale:
            path.write_text(wanted[path])
        return 0
    faults = [f"{path.relative_to(ROOT)} is out of date: run `make docs`" for path in stale]
    faults += faults_of_codes(ROOT / "dbz") + faults_of_pages()
    sys.stderr.writelines(f"{fault}\n" for fault in faults)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
