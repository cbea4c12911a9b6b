"""What a monitor file names is opened before anything is watched: shards files and scenarios, each with its line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dbz.errors import ConfigError, Problem, UsageError

if TYPE_CHECKING:
    from dbz.config.monitor.file import MonitorFile


def check_named(config: MonitorFile) -> None:
    """`ConfigError` with the line of each entry whose file is not there or not right.

    Budgets of objectives are read with the file itself.
    """
    if problems := list(_problems(config)):
        raise ConfigError(problems)


def _problems(config: MonitorFile) -> Iterator[Problem]:
    from dbz.config.shards import load_shards
    from dbz.load.standing import plan_standing

    if config.shards is not None:
        try:
            file = load_shards(config.shards.file)
            for name in file.names[: file.shard_count]:
                file.uri_of(name)
        except UsageError as error:
            yield from _told(config.where("shards"), f"'{config.shards.name}' cannot be watched", error)
    for index, probe in enumerate(config.probes):
        if not probe.scenario:
            continue
        try:
            plan_standing(probe.scenario, config.target_of(probe), probe.users, probe.every)
        except UsageError as error:
            where = config.where("probes", index, "scenario")
            yield from _told(where, f"probe '{probe.name}' cannot play its scenario", error)


def _told(where: str, what: str, error: UsageError) -> Iterator[Problem]:
    """An entry that is wrong, and every problem in the file that it names, with the lines there."""
    if isinstance(error, ConfigError):
        yield Problem(where, f"{what}:")
        yield from error.problems
    else:
        yield Problem(where, f"{what}: {error.message}")
