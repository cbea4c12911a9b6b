"""Loading the user classes of a scenario, with messages for what is wrong with it."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from locust.argument_parser import get_parser
from locust.user.task import filter_tasks_by_tags
from locust.util.load_locustfile import load_locustfile, load_locustfile_pytest

from dbz.config import bundled
from dbz.errors import UsageError
from dbz.suggest import did_you_mean


def load_scenario(path: str) -> tuple[list[Any], Any | None]:
    """The user classes and the load shape (or None) of a Locust file; `UsageError` says what is wrong with it."""
    # Locust puts the current folder first, and what scenarios import of ours is not to find its own imports there.
    importlib.import_module("dbz.users")
    before = list(sys.path)
    try:
        classes, shapes = load_locustfile(path)
        if not classes and Path(path).name.startswith("test_"):
            classes = load_locustfile_pytest(path)
    except SystemExit as error:
        raise UsageError(f"{path} ended the program at import with code {error.code}", code="L005") from error
    except BaseException as error:
        line = _line_in(path, error)
        if isinstance(error, SyntaxError) and error.filename and Path(error.filename).name == Path(path).name:
            raise UsageError(f"{path}{line} is not Python: {error.msg}", code="L005") from error
        raise UsageError(f"{path}{line} cannot be imported: {type(error).__name__}: {error}", code="L005") from error
    if Path(path).parent == bundled.bundled_folder("scenarios"):
        sys.path[:] = before  # Locust lets scenarios import from the current folder; ours have no business there
    if not classes:
        raise UsageError(
            f"{path} defines no user class: dbz looks for subclasses of locust.User, or of dbz.users.HttpUser",
            hint="derive a class from one of them and give it at least one @task",
            code="L006",
        )
    return list(classes.values()), shapes[0] if shapes else None


def locust_options(arguments: Sequence[str]) -> Any:
    """Locust's options: `arguments`, then its environment variables and configuration files, as Locust reads them.

    The file's own options (`init_command_line_parser`) are known when the file has been imported. `UsageError` when a
    configuration file cannot be read.
    """
    try:
        options, _ = get_parser().parse_known_args(list(arguments))
    except SystemExit as error:
        raise UsageError(
            "Locust cannot read its options; see the log, LOCUST_… variables and locust.conf", code="L019"
        ) from error
    except (ValueError, OSError) as error:
        raise UsageError(f"Locust cannot read its configuration: {error}", code="L019") from error
    return options


def check_classes(wanted: Sequence[str], classes: Sequence[Any]) -> None:
    """`UsageError` when a profile's `open_users` names a class that the scenario does not have."""
    known = [user_class.__name__ for user_class in classes]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise UsageError(
            f"open_users: the scenario has no user class '{unknown[0]}' (it has: {', '.join(known)})", code="L007"
        )


def check_care(without: Sequence[str], classes: Sequence[Any]) -> None:
    """`UsageError` when a load is to be without something that no user class of the scenario takes care of."""
    known = sorted({name for user_class in classes for name in getattr(user_class, "care", ())})
    unknown = [name for name in without if name not in known]
    if unknown:
        raise UsageError(
            f"without: the scenario takes no care of '{unknown[0]}'{did_you_mean(unknown[0], known)} "
            f"(it does of: {', '.join(known) or 'nothing that has a name'})",
            code="L007",
        )


def tagged(classes: Sequence[Any], options: Any) -> list[Any]:
    """The classes that have tasks left of those that the tags in Locust's options choose, by Locust's own rules.

    `UsageError` when there is none: a load of nobody would measure nothing.
    """
    tags, excluded = (set(getattr(options, name, None) or ()) or None for name in ("tags", "exclude_tags"))
    if not tags and not excluded:
        return list(classes)
    known = sorted({name for user_class in classes for name in _tags_of(user_class)})
    left = []
    for user_class in classes:
        filter_tasks_by_tags(user_class, tags, excluded)
        if user_class.tasks or getattr(user_class, "functions", False):
            left.append(user_class)
    if not left:
        said = [f"{what} {', '.join(sorted(names))}" for what, names in (("tags", tags), ("not", excluded)) if names]
        raise UsageError(
            f"no task of the scenario is left with {' and '.join(said)} (it has: {', '.join(known) or 'none'})",
            code="L007",
        )
    return left


def _tags_of(holder: Any) -> Iterator[str]:
    """The tags of all tasks of a user class or a task set, those of nested sets included."""
    for one in getattr(holder, "tasks", ()):
        yield from getattr(one, "locust_tag_set", ())
        yield from _tags_of(one)


def _line_in(path: str, error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.lineno:
        return f":{error.lineno}"
    name = Path(path).name
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).name == name]
    return f":{frames[-1].lineno}" if frames else ""
