"""Putting the files of a project where they belong: all of them or none, and never over one that is there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from dbz.errors import UsageError


def refuse_existing(paths: Iterable[Path]) -> None:
    """`UsageError` when any of the files is there already."""
    there = [str(path) for path in paths if path.exists() or path.is_symlink()]
    if there:
        raise UsageError(
            f"{', '.join(there)}: there already, and not written over", hint="choose another folder", code="E007"
        )


def place(files: Mapping[Path, str], *, over: bool = False) -> None:
    """Write all files; `UsageError` when one cannot be, and then none of them is left, nor a folder made for them.

    Files that are there are an error, or are written `over` when that was asked for.
    Each is written beside its place under another name and linked there: a link never replaces what is there, and
    no reader sees half a file.
    """
    if over:
        for path in files:
            path.unlink(missing_ok=True)
    refuse_existing(files)
    placed: list[Path] = []
    folders: list[Path] = []
    try:
        for path, text in files.items():
            _make_folders(path.parent, folders)
            _place(path, text)
            placed.append(path)
    except BaseException as error:
        for path in placed:
            with suppress(OSError):
                path.unlink()
        for folder in reversed(folders):
            with suppress(OSError):
                folder.rmdir()
        if isinstance(error, OSError):
            raise UsageError(
                f"cannot write {error.filename2 or error.filename}: {error.strerror}", code="E006"
            ) from error
        raise


def _make_folders(folder: Path, made: list[Path]) -> None:
    """Make a folder and those above it, and note each."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir()
        made.append(one)


def _place(path: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(0o644)
        path.hardlink_to(name)
    finally:
        Path(name).unlink()
