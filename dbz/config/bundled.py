"""The files that ship with dbz: example configurations, which are the defaults too, and scenarios."""

from __future__ import annotations

import logging
from pathlib import Path

import dbz
from dbz.config.source.files import existing_file
from dbz.errors import UsageError
from dbz.suggest import did_you_mean

_LOG = logging.getLogger(__name__)


def bundled_folder(name: str) -> Path:
    """`configs` or `scenarios`: inside the installed package, or beside it in a checkout."""
    package = Path(dbz.__file__).parent
    installed = package / name
    return installed if installed.is_dir() else package.parent / name


def bundled_names(folder: str, suffix: str) -> list[str]:
    """The names that can be used instead of a path, such as `smoke` for `configs/profiles/smoke.yaml`."""
    return sorted(path.stem for path in bundled_folder(folder).glob(f"*{suffix}") if not path.stem.startswith("_"))


def resolve(kind: str, text: str, folder: str, suffix: str) -> Path:
    """The file that a path or the name of a bundled file means; `UsageError` names the nearest bundled one."""
    if Path(text).suffix or "/" in text:
        return existing_file(kind, text).resolve()
    names = bundled_names(folder, suffix)
    if text in names:
        _LOG.info("'%s' is no path: it is the bundled %s of this name", text, kind)
        return bundled_folder(folder) / f"{text}{suffix}"
    suggestion = did_you_mean(text, names)
    raise UsageError(
        f"unknown {kind} '{text}'{suggestion} (bundled: {', '.join(names)})",
        hint=f"give one of these names or the path of a {suffix} file",
        code="E011",
    )
