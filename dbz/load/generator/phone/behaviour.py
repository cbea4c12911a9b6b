"""Where people go in an app: a Markov chain in a YAML file, schema `dbz.behaviour/1`.

    schema: dbz.behaviour/1
    start: posts
    screens:
      posts: {think: [3s, 9s], next: {posts: 40%, post: 60%}}
      post:  {think: {0%: 5s, 50%: 8s, 100%: 60s}, next: {posts: 90%, end: 10%}}

`think` is how long somebody stays at a screen: evenly distributed between two times, or by quantiles; `next` where they
go then, `end` for those who leave. `start` may have shares as well, and `between` is the time between two visits.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dbz.config.source.source import YamlSource, read_yaml
from dbz.errors import ConfigError, Problem
from dbz.measure.behaviour.chain import END, Behaviour, Screen
from dbz.measure.behaviour.think_time import NO_PAUSE, ThinkTime, evenly
from dbz.suggest import did_you_mean
from dbz.units import format_percent, parse_duration, parse_percent

SCHEMA = "dbz.behaviour/1"
_SHARE_ERROR = 1e-6
_KEYS = ("schema", "start", "between", "screens")
_SCREEN_KEYS = ("think", "next")
_THINK_FORMS = "a time, two of them: [3s, 9s], or quantiles: {0%: 1s, 50%: 3s, 100%: 20s}"


def read_behaviour(path: str | Path) -> Behaviour:
    """The behaviour in a file; `ConfigError` with every problem in it, and its line."""
    source = read_yaml(Path(path))
    reader = _Reader(source)
    found = reader.behaviour()
    if found is None or reader.problems:
        raise ConfigError(reader.problems)
    return found


class _Reader:
    """Reads by hand what the models of the command line would read: a generator process has none of them."""

    def __init__(self, source: YamlSource) -> None:
        self._source = source
        self.problems: list[Problem] = []

    def behaviour(self) -> Behaviour | None:
        data = self._source.data
        if not self._is_mapping(data, (), _KEYS):
            return None
        if data.get("schema") != SCHEMA:
            self._note(("schema",), f"schema: '{data.get('schema')}' is not allowed", SCHEMA)
        screens = data.get("screens")
        if not isinstance(screens, dict) or not screens:
            self._note(("screens",), "screens: is not a mapping of screens")
            return None
        read = {name: self._screen(name, one, screens) for name, one in screens.items()}
        start = data.get("start", next(iter(screens)))
        starts = self._shares(("start",), start, screens) if isinstance(start, dict) else {str(start): 1.0}
        if not isinstance(start, dict) and str(start) not in screens:
            self._note(("start",), f"start: there is no screen '{start}'{did_you_mean(str(start), screens)}")
        between = self._think(("between",), data.get("between", "0s"))
        return Behaviour(starts, {name: screen for name, screen in read.items() if screen is not None}, between)

    def _screen(self, name: str, data: Any, screens: Mapping[str, Any]) -> Screen | None:
        where = ("screens", name)
        if not self._is_mapping(data, where, _SCREEN_KEYS):
            return None
        think = self._think((*where, "think"), data.get("think", "0s"))
        return Screen(think, self._shares((*where, "next"), data.get("next"), {**screens, END: None}))

    def _think(self, where: tuple[str, ...], times: Any) -> ThinkTime:
        if isinstance(times, dict):
            return self._quantiles(where, times)
        both = times if isinstance(times, list) else [times, times]
        try:
            shortest_s, longest_s = (parse_duration(str(time)) for time in both[:2])
        except ValueError as error:
            self._note(where, f"{'.'.join(where)}: {error}", _THINK_FORMS)
            return NO_PAUSE
        if len(both) > 2:
            self._note(where, f"{'.'.join(where)}: more than two times", _THINK_FORMS)
        if shortest_s > longest_s:
            self._note(where, f"{'.'.join(where)}: the shorter time comes first")
        return evenly(shortest_s, longest_s)

    def _quantiles(self, where: tuple[str, ...], times: Mapping[str, Any]) -> ThinkTime:
        try:
            read = tuple((parse_percent(str(share)), parse_duration(str(time))) for share, time in times.items())
        except ValueError as error:
            self._note(where, f"{'.'.join(where)}: {error}", _THINK_FORMS)
            return NO_PAUSE
        shares, seconds = [share for share, _ in read], [second for _, second in read]
        if shares[:1] != [0.0] or shares[-1:] != [1.0] or len(read) < 2:
            self._note(where, f"{'.'.join(where)}: quantiles go from 0% to 100%", _THINK_FORMS)
        elif shares != sorted(set(shares)) or seconds != sorted(seconds):
            self._note(where, f"{'.'.join(where)}: quantiles ascend, their shares and their times")
        else:
            return ThinkTime(read)
        return NO_PAUSE

    def _shares(self, where: tuple[str, ...], following: Any, screens: Mapping[str, Any]) -> dict[str, float]:
        shares: dict[str, float] = {}
        if not isinstance(following, dict) or not following:
            self._note(where, f"{'.'.join(where)}: is not a mapping of screens to shares", "{posts: 40%, post: 60%}")
            return shares
        for name, share in following.items():
            if name not in screens:
                self._note(
                    (*where, name), f"{'.'.join(where)}: there is no screen '{name}'{did_you_mean(name, screens)}"
                )
            try:
                shares[name] = parse_percent(str(share))
            except ValueError as error:
                self._note((*where, name), f"{'.'.join((*where, name))}: {error}")
        total = sum(shares.values())
        if len(shares) == len(following) and abs(total - 1) > _SHARE_ERROR:
            self._note(where, f"{'.'.join(where)}: the shares add up to {format_percent(total)}, not to 100 %")
        return shares

    def _is_mapping(self, data: Any, where: tuple[str, ...], keys: tuple[str, ...]) -> bool:
        if not isinstance(data, dict):
            self._note(where, f"{'.'.join(where) or 'the file'} is not a mapping of keys to values", ", ".join(keys))
            return False
        for key in data.keys() - set(keys):
            self._note(
                (*where, key), f"unknown key '{'.'.join((*where, key))}'{did_you_mean(key, keys)}", ", ".join(keys)
            )
        return True

    def _note(self, where: tuple[str, ...], message: str, allowed: str = "") -> None:
        self.problems.append(Problem(self._source.where(where), message, allowed))
