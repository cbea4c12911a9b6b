"""Budgets as objectives: what must hold over weeks, and how fast it may be used up before somebody is told.

An objective allows a share of bad events: failed or slow requests, probes without an answer. The burn rate is how many
times as fast as allowed that share is used up. The levels are those of Google's SRE workbook (chapter 5, "Alerting on
SLOs", multiwindow, multi-burn-rate alerts): 2 % of a period's allowance within an hour, 5 % within six, 10 % within
three days, each also in a window of a twelfth, so that an alert ends soon after its cause. For 30 days that is 14.4, 6
and 1 times.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydantic import Field, field_validator

from dbz.config.budgets import load_budgets
from dbz.config.monitor.fields import Labels, Severity
from dbz.config.source.model import Duration, Strict
from dbz.config.source.source import YamlSource
from dbz.errors import ConfigError, Problem, UsageError
from dbz.measure.budget.budgets import Budget
from dbz.suggest import did_you_mean

_DAY_S = 86_400.0
_FORM = "write for example budgets.yaml#error_rate"
_PERCENTILE = re.compile(r"p(\d+(?:\.\d+)?)")
_LEVELS: Sequence[tuple[str, float, float, float, Severity]] = (
    ("1H", 0.02, 3600.0, 300.0, "critical"),
    ("6H", 0.05, 6 * 3600.0, 1800.0, "critical"),
    ("3D", 0.10, 3 * _DAY_S, 6 * 3600.0, "warning"),
)
"""Name, share of the allowance, long and short window, severity."""
LONGEST_WINDOW_S = 3 * _DAY_S
"""No alert looks further back."""


class ObjectiveEntry(Strict):
    """A budget that must hold over a period."""

    budget: str
    """A budgets file, from the folder of this one, or the name of a bundled one, and the name of a budget in it:
    `budgets.yaml#error_rate`. Budgets of error rate, uptime, and percentiles of HTTP requests can be objectives."""
    period: Duration = Field(30 * _DAY_S, ge=7 * _DAY_S, le=90 * _DAY_S)
    min_requests: int = Field(100, ge=1)
    """With fewer of them in the long window of an alert it does not begin: one failure at night is no outage."""
    targets: list[str] = Field(default_factory=list)
    """Names of the services that it is about [default: all]."""
    message: str = ""
    runbook: str = ""
    labels: Labels = Field(default_factory=dict)

    @field_validator("budget")
    @classmethod
    def _has_a_name(cls, text: str) -> str:
        file, _, name = text.rpartition("#")
        if not file or not name:
            raise ValueError(f"'{text}' does not name a budget of a file; {_FORM}")
        return text

    @property
    def place(self) -> tuple[str, str]:
        """The file, and the name of the budget in it."""
        file, _, name = self.budget.rpartition("#")
        return file, name

    @property
    def types(self) -> list[str]:
        """The types of the alerts that it becomes: `ERROR_RATE_BURN_1H` and its like."""
        stem = re.sub(r"[^A-Z0-9]+", "_", self.place[1].upper()).strip("_")
        return [f"{stem}_BURN_{level}" for level, *_ in _LEVELS]


class ObjectiveKind(StrEnum):
    """What an objective counts."""

    ERRORS = "failed requests"
    SLOW = "slow requests"
    UPTIME = "probes without a good answer"


@dataclass(frozen=True)
class BurnLevel:
    """When one of the alerts of an objective is on."""

    type: str
    factor: float
    """So many times as fast as allowed, in both windows."""
    long_s: float
    short_s: float
    severity: Severity


@dataclass(frozen=True)
class Objective:
    """A budget as an objective."""

    entry: ObjectiveEntry
    kind: ObjectiveKind
    allowed: float
    """The share of bad events that the budget allows."""
    limit_ms: float | None
    """Requests that take longer are slow ones; None where that does not matter."""
    levels: tuple[BurnLevel, ...]

    def __str__(self) -> str:
        return f"{self.entry.place[1]}, at most {self.allowed * 100:.4g} % {self.kind.value}"


def objective_of(entry: ObjectiveEntry, budget: Budget) -> Objective:
    """A budget as an objective; `ValueError` with the reason why it cannot be one."""
    kind, allowed, limit_ms = _share_of(budget)
    if not 0 < allowed < 1:
        raise ValueError(f"it allows {'nothing' if allowed <= 0 else 'everything'}, and nothing of that can be used up")
    levels = []
    for (_, share, long_s, short_s, severity), type_ in zip(_LEVELS, entry.types, strict=True):
        factor = share * entry.period / long_s
        if factor >= 0.999 and factor * allowed < 1:  # slower than allowed is well, and more than all cannot fail
            levels.append(BurnLevel(type_, factor, long_s, short_s, severity))
    if not levels:
        raise ValueError(f"it allows {allowed * 100:.3g} %, so much that no failure uses it up too fast")
    return Objective(entry, kind, allowed, limit_ms, tuple(levels))


def _share_of(budget: Budget) -> tuple[ObjectiveKind, float, float | None]:
    """What is counted, the share of it that may be bad, and when a request is slow."""
    metric, limit = budget.of.metric.name, budget.limit
    if budget.windows is not None:
        raise ValueError("its 'window' asks it of stretches of seconds, and an objective of weeks")
    if not limit.known:
        raise ValueError("its limit is relative to a baseline, and a running service has none")
    if budget.of.filters:
        raise ValueError("it is about some operations, and a service tells of all requests together")
    if metric in ("errors", "http") and budget.stat == "error_rate" and limit.upper:
        return ObjectiveKind.ERRORS, limit.value, None
    if metric == "uptime" and not limit.upper:
        return ObjectiveKind.UPTIME, 1 - limit.value, None
    percentile = _PERCENTILE.fullmatch(budget.stat)
    if metric == "http" and percentile and limit.upper:
        return ObjectiveKind.SLOW, 1 - float(percentile[1]) / 100, limit.value
    raise ValueError(
        f"the {budget.stat} of {budget.of} {limit.op} {limit.value:g} is no share of good requests; what can be: "
        "error_rate of errors or http, rate of uptime, percentiles of http"
    )


def load_objectives(entries: Sequence[ObjectiveEntry], source: YamlSource, folder: Path) -> list[Objective]:
    """What the budgets of the section `objectives` of a source say; their files are looked for from a folder.

    `ConfigError` with the line of each that is not there, or cannot be an objective.
    """
    objectives, problems = [], []
    for index, entry in enumerate(entries):
        file, name = entry.place
        path = str(folder / file) if Path(file).suffix or "/" in file else file  # a word names a bundled file
        try:
            budgets = {budget.name: budget for budget in load_budgets(path)}
            if name not in budgets:
                raise ValueError(f"it is not there{did_you_mean(name, list(budgets))} (known: {', '.join(budgets)})")
            objectives.append(objective_of(entry, budgets[name]))
        except (ValueError, UsageError) as error:
            where = source.where(("objectives", index))
            problems.append(Problem(where, f"budget '{entry.budget}' cannot be an objective: {error}"))
    if problems:
        raise ConfigError(problems)
    return objectives
