"""`docs/errors.md` out of the register of error codes, and whether the program raises exactly those codes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path

from dbz import errors
from dbz.codes.kind import AREAS, ErrorKind
from dbz.codes.register import KINDS, REGISTER
from dbz.errors import DbzError, ExitCode

_CODE = re.compile(f"[{''.join(AREAS)}]0[0-9]{{2}}")
_INTRODUCTION = """\
# Errors and their codes

Made from the program by `make docs`; `dbz explain CODE` says the same at a terminal.

Every error ends its first line with a code, like `[DBZ-L002]`. A code stands for one cause with its cure, whatever the
message says about the place where it happened; it never comes to mean something else. The exit code says how bad it is,
for scripts; the error code says what it is, for people, searches and programs that want to know more.

With `--json` the error is JSON too: one line on standard error, the last one, and nothing on standard output, so that
`dbz … --json > result.json` never holds an error in the place of a result.

```json
{"schema": "dbz.error/1", "code": "DBZ-S011", "message": "…", "hint": "…", "exit_code": 2,
 "next_steps": ["dbz scale history", "dbz explain DBZ-S011"]}
```

`message` and `hint` are the words that a terminal would show; `next_steps` are commands. `dbz explain --json` prints
all codes.
"""


def errors_page() -> str:
    """The text of `docs/errors.md`."""
    parts = [_INTRODUCTION]
    for letter, area in AREAS.items():
        parts.append(f"\n## {letter}: {area}\n")
        parts += [_section(kind) for kind in KINDS if kind.code[0] == letter]
    return "".join(parts)


def _section(kind: ErrorKind) -> str:
    return (
        f"\n### {kind.shown}: {kind.title}\n\n{kind.cause}\n\n**What to do:** {kind.cure}\n\n"
        f"Exit code {int(kind.exit_code)}.\n"
    )


def faults_of_codes(package: Path) -> list[str]:
    """What is wrong with the codes of errors in a package; that an error has none, mypy finds."""
    trees = {path: ast.parse(path.read_text()) for path in sorted(package.rglob("*.py")) if "codes" not in path.parts}
    exits = _exit_codes(trees.values())
    faults = [] if len(REGISTER) == len(KINDS) else ["a code stands for two kinds of errors"]
    used = set()
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _CODE.fullmatch(node.value):
                used.add(node.value)
                if node.value not in REGISTER:
                    faults.append(f"{path}:{node.lineno}: the code {node.value} is not in dbz/codes")
            elif isinstance(node, ast.Call) and (fault := _other_exit_code(node, exits)):
                faults.append(f"{path}:{node.lineno}: {fault}")
    return faults + [f"{kind.shown} is in dbz/codes, and nothing raises it" for kind in KINDS if kind.code not in used]


def _other_exit_code(call: ast.Call, exits: dict[str, ExitCode]) -> str:
    """Why an error does not fit to its code: the class says how the command ends, and so does the register."""
    name = ast.unparse(call.func).rpartition(".")[2]
    codes = [one.value.value for one in call.keywords if one.arg == "code" and isinstance(one.value, ast.Constant)]
    known = REGISTER.get(str(codes[0])) if codes else None
    if known is None or exits.get(name, known.exit_code) == known.exit_code:
        return ""
    return f"{name} ends with {int(exits[name])}, {known.shown} with {int(known.exit_code)}"


def _exit_codes(trees: Iterable[ast.Module]) -> dict[str, ExitCode]:
    """{name: exit code} of the classes of errors: those of dbz.errors, and what derives from them elsewhere."""
    known = {
        name: one.exit_code for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, DbzError)
    }
    for node in (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
        for base in map(ast.unparse, node.bases):
            if base in known:
                known.setdefault(node.name, known[base])
    return known
