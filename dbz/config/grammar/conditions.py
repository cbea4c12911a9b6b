"""The sentences that say when servers scale, and when people are told: `CPU > 70% for 5 minutes`.

    condition = metric op limit [ "for" [ number "of" ] number unit ] [ steps ]
    steps     = [ "," "+" number ] { "," "+" number "from" limit }
    metric    = "CPU" | "memory" | "response time" | "error rate" | [ "active" ] "connections" | "requests"
              | "p95 response time" | "peak response time" | "query time" | "p95 query time" | "hit ratio"
              | "event loop lag" | "probe time" | "evictions" | "replication lag" | "shard skew" | "queue depth"
              | "pending messages" | "running tasks" | "missing tasks" | "message round trip" | "lost messages"
    op        = ">" | ">=" | "<" | "<="
    limit     = number "%"                        CPU, memory, error rate, hit ratio, lost messages
              | number "%" [ "of" ] "capacity"    connections: a share of what the running servers can hold
              | number ( "ms" | "s" )             every time, lag and round trip
              | number "/" ( "s" | "min" | "h" )  requests, evictions
              | number                            connections, depths, messages, tasks, skew
    unit      = "seconds" | "minutes" | "hours", their singulars, or "s" | "m" | "min" | "h"

The scaling plan follows the metrics of the first line, which CloudWatch has; `dbz monitor` follows all of them.
Words are read in any case, and spaces matter only between words. Without `for` one sample is enough. `for 5 minutes`
means every sample of five minutes, `for 4 of 5 minutes` four minutes' worth of them (AWS calls that M of N).
`CPU > 70% for 5 minutes, +2, +8 from 90%` adds two tasks at once, and eight when the newest sample is at 90 % or above.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from decimal import Decimal

from dbz.config.grammar.watched import SHARES, UNIT_OF, MetricUnit, Watched, value_text
from dbz.suggest import did_you_mean

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
}  # fmt: skip
_OPPOSITES = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}
_METRICS = {tuple(metric.value.lower().split()): metric for metric in Watched} | {("connections",): Watched.CONNECTIONS}
_LONGEST = max(map(len, _METRICS))
_UNITS_S = {
    "s": 1.0, "second": 1.0, "seconds": 1.0,
    "m": 60.0, "min": 60.0, "minute": 60.0, "minutes": 60.0,
    "h": 3600.0, "hour": 3600.0, "hours": 3600.0,
}  # fmt: skip
_PER_S = {"s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}
_TOKEN = re.compile(r"[<>]=?|\d+(?:\.\d+)?|[Pp]\d+|[A-Za-z]+|\S")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
MOST_STEPS = 18
"""As many limits further than its own as a sentence may name."""
MOST_AT_ONCE = 1000
"""No step adds more tasks."""
LONGEST_S = 86_400.0
"""No condition looks further back than a day."""


@dataclass(frozen=True)
class BreachStep:
    """How many tasks are added where a metric has got as far as a limit."""

    tasks: int
    limit: float
    """In the unit of the condition's."""


@dataclass(frozen=True)
class Condition:
    """A comparison that must have held for `held_s` of the last `window_s` seconds; both 0 mean one sample.

    `limit` is a fraction of one for shares and for `of_capacity`, milliseconds for times, so many a second for rates,
    else a number.
    """

    metric: Watched
    op: str
    limit: float
    of_capacity: bool = False
    held_s: float = 0.0
    window_s: float = 0.0
    tasks: int | None = None
    """How many tasks are added at once; None: as many as the plan's `scaling.step`."""
    steps: tuple[BreachStep, ...] = ()
    """More tasks for a larger breach, the nearest limit first."""

    @property
    def compare(self) -> Callable[[float, float], bool]:
        """The comparison itself: `compare(value, limit)`."""
        return _OPERATORS[self.op]

    def holds(self, value: float | None) -> bool | None:
        """Whether one reading holds; None where nothing was measured, which "not a number" says too."""
        return None if value is None or math.isnan(value) else self.compare(value, self.limit)

    def opposite(self) -> Condition:
        """What holds for every reading for which this does not; one reading is enough."""
        return replace(self.plain(), op=_OPPOSITES[self.op], held_s=0.0, window_s=0.0)

    def samples(self, period_s: float) -> tuple[int, int]:
        """How many of the newest samples count, and how many of those must hold: (M, N) of `M of N`."""
        window = max(1, -int(-self.window_s // period_s))
        return max(1, min(window, -int(-self.held_s // period_s))), window

    @property
    def sized(self) -> bool:
        """Whether it says itself how many tasks are added."""
        return self.tasks is not None or bool(self.steps)

    def plain(self) -> Condition:
        """The same without how many tasks are added."""
        return replace(self, tasks=None, steps=())

    def tasks_at(self, value: float | None, step: int) -> int:
        """How many tasks are added where the newest sample has this value; `step` where it does not say."""
        reaches = operator.ge if self.op.startswith(">") else operator.le
        reached = [each.tasks for each in self.steps if value is not None and reaches(value, each.limit)]
        return reached[-1] if reached else self.tasks or step

    def value_text(self, value: float) -> str:
        """A measured value in the unit of the limit."""
        return f"{value * 100:.3g} %" if self.of_capacity else value_text(self.metric, value)

    def __str__(self) -> str:
        name = self.metric.value[0].upper() + self.metric.value[1:]
        steps = [] if self.tasks is None else [f"+{self.tasks}"]
        steps += [f"+{each.tasks} from {self._limit(each.limit)}" for each in self.steps]
        return ", ".join([f"{name} {self.op} {self._limit(self.limit)}{self._duration()}", *steps])

    def _limit(self, limit: float) -> str:
        if self.of_capacity:
            return f"{shortest(limit, 100)}% capacity"
        if self.metric in SHARES:
            return f"{shortest(limit, 100)}%"
        unit = {MetricUnit.TIME: "ms", MetricUnit.RATE: "/s"}.get(UNIT_OF[self.metric], "")
        return f"{shortest(limit)}{unit}"

    def _duration(self) -> str:
        if not self.window_s:
            return ""
        size, unit = next(
            (size, unit)
            for size, unit in ((3600.0, "hour"), (60.0, "minute"), (1.0, "second"))
            if unit == "second" or (self.window_s % size == 0 and self.held_s % size == 0)
        )
        window = self.window_s / size
        part = f"{shortest(self.held_s / size)} of " if self.held_s != self.window_s else ""
        return f" for {part}{shortest(window)} {unit}{'' if window == 1 else 's'}"


def parse_condition(text: str, metrics: Collection[Watched] = tuple(Watched)) -> Condition:
    """Read a sentence about one of some metrics; `ValueError` says what is wrong and marks the word."""
    if not text.strip():
        raise ValueError("is empty")
    return SentenceReader(text, metrics).condition()


class SentenceReader:
    """Reads the words of one sentence from left to right; `ValueError` marks the first word that does not fit."""

    def __init__(self, text: str, metrics: Collection[Watched] = tuple(Watched)) -> None:
        self.text = text
        self._allowed = metrics
        self.words = [(match.group(), match.start()) for match in _TOKEN.finditer(text)]
        self.at = 0

    def condition(self) -> Condition:
        """All of it as a condition."""
        metric = self.metric()
        op = self.take(lambda word: word in _OPERATORS, f"a comparison ({', '.join(_OPERATORS)})")
        limit, of_capacity = self._limit(metric)
        held_s, window_s = self._duration()
        condition = self._sized(Condition(metric, op, limit, of_capacity, held_s, window_s))
        nothing = "a comma and a step as in '+2', or nothing more" if condition.sized else "nothing more"
        self.end(nothing if window_s or condition.sized else "'for' and a duration, or nothing more")
        return condition

    def _sized(self, condition: Condition) -> Condition:
        """With how many tasks it adds, where that follows."""
        while self.skip(","):
            self.word("+", "'+' and a number of tasks")
            tasks = int(self.take(str.isdecimal, "a whole number of tasks"))
            before = condition.steps[-1].tasks if condition.steps else condition.tasks or 0
            if not before < tasks <= MOST_AT_ONCE:
                raise self.error(f"more than {before} and at most {MOST_AT_ONCE} tasks", back=1)
            if not self.skip("from"):
                if condition.sized:
                    raise self.error("'from' and a limit")
                condition = replace(condition, tasks=tasks)
                continue
            limit, of_capacity = self._limit(condition.metric)
            nearest = condition.steps[-1].limit if condition.steps else condition.limit
            further = limit > nearest if condition.op.startswith(">") else limit < nearest
            if len(condition.steps) == MOST_STEPS:
                raise self.error(f"at most {MOST_STEPS} steps: AWS takes no more", back=1)
            if not further or of_capacity != condition.of_capacity:
                raise self.error("a limit in the same unit and further than the one before")
            condition = replace(condition, steps=(*condition.steps, BreachStep(tasks, limit)))
        return condition

    def end(self, wanted: str = "nothing more") -> None:
        """That was all."""
        if self.at < len(self.words):
            raise self.error(wanted)

    def metric(self) -> Watched:
        """The metric at the beginning."""
        names = [metric.value for metric in Watched if metric in self._allowed]
        for length in range(_LONGEST, 0, -1):
            words = tuple(word.lower() for word, _ in self.words[:length])
            if len(words) == length and words in _METRICS:
                if _METRICS[words] not in self._allowed:
                    raise self.error(f"a metric that can be followed here ({', '.join(names)})")
                self.at = length
                return _METRICS[words]
        given = [word for word, _ in self.words[:_LONGEST] if word.isalnum()]
        likely = (did_you_mean(" ".join(given[:length]), names, 0.6) for length in range(_LONGEST, 0, -1))
        raise self.error(f"a metric ({', '.join(names)})", note=next(filter(None, likely), ""))

    def _limit(self, metric: Watched) -> tuple[float, bool]:
        if metric in SHARES:
            return self.share(metric), False
        number, unit = self.number(), UNIT_OF[metric]
        if unit is MetricUnit.TIME:
            return number * (1.0 if self.take(lambda word: word in ("ms", "s"), "'ms' or 's'") == "ms" else 1e3), False
        if unit is MetricUnit.RATE:
            return self.rate(number), False
        return self._connections(number) if metric is Watched.CONNECTIONS else (number, False)

    def number(self) -> float:
        """A number."""
        return float(self.take(_is_number, "a number"))

    def share(self, metric: Watched) -> float:
        """A percentage, as a fraction of one."""
        number = self.number()
        self.take(lambda word: word == "%", f"'%': {metric.value} is a percentage")
        if number > 100:
            raise self.error("at most 100 %", back=2)
        return number / 100

    def rate(self, number: float) -> float:
        """What follows the number of a rate; so many a second."""
        self.take(lambda word: word == "/", "'/s', '/min' or '/h'")
        return number / _PER_S[self.take(lambda word: word in _PER_S, "'s', 'min' or 'h'")]

    def _connections(self, number: float) -> tuple[float, bool]:
        if not self.skip("%"):
            return number, False
        self.skip("of")
        self.word("capacity", "'capacity': connections are a share of it, or a number")
        return number / 100, True

    def word(self, wanted: str, or_rather: str = "") -> None:
        """Exactly that word, in any case."""
        self.take(lambda word: word.lower() == wanted, or_rather or f"'{wanted}'")

    def _duration(self) -> tuple[float, float]:
        if not self.skip("for"):
            return 0.0, 0.0
        first = float(self.take(_is_number, "a duration such as '5 minutes'"))
        window = float(self.take(_is_number, "a duration such as '5 minutes'")) if self.skip("of") else first
        unit = self.take(lambda word: word.lower() in _UNITS_S, "a unit (seconds, minutes, hours)").lower()
        size_s = _UNITS_S[unit]
        if not 0 < first <= window:
            raise self.error("more than 0 and no more than the whole duration", back=2 if window == first else 4)
        if window * size_s > LONGEST_S:
            raise self.error("at most 24 hours", back=2)
        return first * size_s, window * size_s

    def skip(self, wanted: str) -> bool:
        """Whether that word comes now; then it is read."""
        found = self.at < len(self.words) and self.words[self.at][0].lower() == wanted
        self.at += found
        return found

    def take(self, fits: Callable[[str], bool], wanted: str) -> str:
        """The next word, which must fit."""
        if self.at < len(self.words) and fits(self.words[self.at][0]):
            self.at += 1
            return self.words[self.at - 1][0]
        raise self.error(wanted)

    def error(self, wanted: str, back: int = 0, note: str = "") -> ValueError:
        """An error that marks the word in question, `back` words before the next one, below the sentence."""
        at = self.at - back
        word, column = self.words[at] if at < len(self.words) else ("", len(self.text.rstrip()))
        found = f"not '{word}'" if word else "but it ends there"
        marks = f"{' ' * column}{'^' * max(len(word), 1)}"
        return ValueError(f"expected {wanted}, {found}{note}\n    {self.text.rstrip()}\n    {marks}")


def _is_number(word: str) -> bool:
    return bool(_NUMBER.fullmatch(word))


def shortest(number: float, scale: float = 1.0) -> str:
    """`number` times `scale` in the fewest digits from which the same number can be read again."""
    for digits in range(1, 18):
        text = format(Decimal(f"{number * scale:.{digits}g}"), "f")
        if float(text) / scale == number:
            break
    return text
