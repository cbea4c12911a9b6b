"""Performance budgets: what they say, and how they are written.

window  = duration [ "in" number "%" ]      the budget must hold in every such stretch of time, or in that share of them
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from dbz.measure.budget.limits import Limit, parse_against, parse_limit
from dbz.measure.budget.metrics import Selector, check_stat, parse_selector, unit_of
from dbz.measure.confidence import CONFIDENCE
from dbz.units import format_duration, parse_duration

_WINDOW = re.compile(r"(?P<length>[^%]+?)(?:\s+in\s+(?P<share>\d+(?:\.\d+)?)\s*%)?")
_OR = re.compile(r"(?P<stat>\S+)\s+of\s+(?P<of>.+)", re.DOTALL)


class Severity(StrEnum):
    """What a broken budget does to the run."""

    FAIL = "fail"
    WARN = "warn"


class Treatment(StrEnum):
    """What an outcome that is neither pass nor broken does to the run."""

    VALUE = "value"
    """Inconclusive ones only: the measured value decides, as if it were exact."""
    FAIL = "fail"
    PASS = "pass"
    INVALID = "invalid"


@dataclass(frozen=True)
class Rule:
    """How the outcomes of budgets become that of the run, and how sure a verdict must be."""

    inconclusive: Treatment = Treatment.VALUE
    not_measured: Treatment = Treatment.PASS
    confidence: float = CONFIDENCE


@dataclass(frozen=True)
class Windows:
    """Stretches of `length_s` seconds, of which the share must hold."""

    length_s: float
    share: float = 1.0

    def __str__(self) -> str:
        tolerant = f" in {self.share * 100:g}%" if self.share < 1 else ""
        return format_duration(self.length_s).replace(" ", "") + tolerant


@dataclass(frozen=True)
class Alternative:
    """What is judged when the metric of a budget was not measured."""

    stat: str
    of: Selector


@dataclass(frozen=True)
class Budget:
    """A limit on one statistic of one metric."""

    name: str
    of: Selector
    stat: str
    limit: Limit
    required: bool = False
    """Whether the run is broken when this was not measured."""
    severity: Severity = Severity.FAIL
    rule: Rule = Rule()
    windows: Windows | None = None
    """Asks it of every stretch of time, instead of the judged part as a whole."""
    after_s: float = 0.0
    """How much of the beginning of the judged part is left out."""
    abort_after_s: float = 0.0
    """A run that has broken it for so long is stopped; 0 for never."""
    min_samples: int = 0
    """With fewer samples it is inconclusive."""
    instead: tuple[Alternative, ...] = ()
    """Of these the first that was measured is judged when `of` was not."""
    part_of: str = ""
    """The budget that names this one's page below `or`; empty for a budget of its own."""
    baseline_spread: float = 0.0
    """The standard deviation of the logarithm of the baseline's value, for limits that are relative to one."""
    terms: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """The texts that it was made from."""


def parse_budget(
    name: str,
    of: str,
    stat: str,
    limit: str = "",
    *,
    against: str = "",
    window: str = "",
    after: str = "",
    abort_after: str = "",
    instead: str | Sequence[str] = (),
    severity: str = "fail",
    required: bool = False,
    min_samples: int = 0,
    rule: Rule | None = None,
) -> Budget:
    """A budget from the texts of a budgets file; `ValueError` for the first of them that is wrong."""
    texts = {"limit": limit, "against": against, "window": window, "after": after, "abort_after": abort_after}
    selector = parse_selector(of)
    check_stat(selector.metric, stat)
    unit = unit_of(selector.metric, stat)
    if bool(limit) == bool(against):
        raise ValueError("needs either 'limit', like '< 500ms', or 'against', like 'baseline +10%'")
    timing = [key for key in ("window", "after", "abort_after") if texts[key]]
    if timing and not selector.metric.timed:
        raise ValueError(f"'{timing[0]}' does not fit {selector.metric.name}, which is not recorded second by second")
    if severity == Severity.WARN and abort_after:
        raise ValueError("'abort_after' stops the run, which a budget of 'severity: warn' must not")
    rule = rule or Rule()
    others = ([instead] if instead else []) if isinstance(instead, str) else list(instead)
    return Budget(
        name=name,
        of=selector,
        stat=stat,
        limit=parse_limit(limit, unit) if limit else parse_against(against, unit),
        required=required,
        severity=_one_of(Severity, severity, "severity"),
        rule=rule,
        windows=_windows(window) if window else None,
        after_s=parse_duration(after) if after else 0.0,
        abort_after_s=_at_least_a_second("abort_after", parse_duration(abort_after)) if abort_after else 0.0,
        min_samples=min_samples,
        instead=tuple(_alternative(text, unit) for text in others),
        terms={
            "of": str(selector),
            "stat": stat,
            **{key: text for key, text in texts.items() if text},
            **({"instead": others[0] if len(others) == 1 else others} if others else {}),
            **({"severity": severity} if severity != Severity.FAIL else {}),
            **({"min_samples": min_samples} if min_samples else {}),
            "inconclusive": rule.inconclusive.value,
            "not_measured": rule.not_measured.value,
            "confidence": rule.confidence,
        },
    )


def budget_of(name: str, terms: Mapping[str, Any], *, required: bool) -> Budget:
    """The budget that was written down as `terms`."""
    texts = dict(terms)
    rule = Rule(
        Treatment(texts.pop("inconclusive", Treatment.VALUE)),
        Treatment(texts.pop("not_measured", Treatment.PASS)),
        texts.pop("confidence", CONFIDENCE),
    )
    return parse_budget(name, required=required, rule=rule, **texts)


def _windows(text: str) -> Windows:
    match = _WINDOW.fullmatch(text.strip())
    if not match:
        raise ValueError(f"'{text}' is not a window; write for example '10s' or '10s in 95%'")
    share = float(match["share"]) / 100 if match["share"] else 1.0
    if not 0 < share <= 1:
        raise ValueError(f"window '{text}': a share of windows is above 0% and at most 100%")
    return Windows(_at_least_a_second("window", parse_duration(match["length"])), share)


def _at_least_a_second(key: str, seconds: float) -> float:
    if seconds < 1:
        raise ValueError(f"'{key}' is at least 1s: a run is recorded second by second")
    return seconds


def _alternative(text: str, unit: str) -> Alternative:
    match = _OR.fullmatch(text.strip())
    if not match:
        raise ValueError(f"'{text}' does not say what to judge instead; write for example 'p50 of import.page_load'")
    selector = parse_selector(match["of"])
    check_stat(selector.metric, match["stat"])
    if unit_of(selector.metric, match["stat"]) != unit:
        raise ValueError(f"'{text}' is not given in the same unit as the budget itself")
    return Alternative(match["stat"], selector)


def _one_of(kind: type[Severity], text: str, key: str) -> Severity:
    try:
        return kind(text)
    except ValueError:
        allowed = ", ".join(kind)
        raise ValueError(f"{key} '{text}' is not allowed; allowed: {allowed}") from None
