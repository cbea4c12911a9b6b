"""Fuzzing one reader, led by what its contents reach: `python -m tests.fuzz.guided NAME FOLDER [libFuzzer options]`."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["dbz"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Fuzz until the options say that it is enough; the corpus is kept in the folder."""
    name, folder, *options = sys.argv[1:]
    target = TARGETS[name]
    for number, seed in enumerate(target.seeds):
        Path(folder, f"seed-{number}").write_bytes(seed)
    atheris.Setup([sys.argv[0], *options, folder], target.try_out)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
