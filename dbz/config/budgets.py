"""The budgets file, schema `dbz.budgets/1`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dbz.config import bundled
from dbz.config.source.model import Parsed, Percent, Strict, build
from dbz.config.source.source import YamlSource, read_yaml
from dbz.errors import ConfigError, Problem
from dbz.measure.budget.budgets import Budget, Rule, Severity, Treatment, parse_budget
from dbz.measure.confidence import CONFIDENCE

DEFAULT = "default"


class BudgetEntry(Strict):
    """One budget as it is written: texts that the budget grammar reads. `or` is judged when `of` was not measured;
    of several the first that was."""

    name: str = Field(min_length=1, max_length=80)
    of: str
    stat: str
    limit: str = ""
    against: str = ""
    window: str = ""
    after: str = ""
    abort_after: str = ""
    instead: str | list[str] = Field("", alias="or")
    severity: Severity = Severity.FAIL
    required: bool = False
    min_samples: int = Field(0, ge=0)
    inconclusive: Treatment | None = None
    about: str = ""


class Rules(Strict):
    """What outcomes that are neither pass nor broken mean for the run, and how sure a verdict must be."""

    inconclusive: Treatment = Treatment.VALUE
    not_measured: Literal[Treatment.PASS, Treatment.FAIL, Treatment.INVALID] = Treatment.PASS
    confidence: Percent = Field(Parsed(CONFIDENCE), ge=0.5, lt=1)


class BudgetsFile(Strict):
    """All budgets of a file, and the rules by which they become the verdict of a run."""

    schema_: Literal["dbz.budgets/1"] = Field(alias="schema")
    rules: Rules = Field(default_factory=lambda: Rules.model_validate({}))
    budgets: list[BudgetEntry] = Field(min_length=1)


def load_budgets(name: str) -> list[Budget]:
    """The budgets of a bundled or a given YAML file; `ConfigError` names every problem in it."""
    path = bundled.resolve("budgets", name, "configs/budgets", ".yaml")
    return build_budgets(read_yaml(path))


def build_budgets(source: YamlSource) -> list[Budget]:
    """The budgets of a source."""
    file = build(BudgetsFile, source)
    budgets: list[Budget] = []
    problems: list[Problem] = []
    for index, entry in enumerate(file.budgets):
        where = source.where(("budgets", index))
        if any(entry.name == earlier.name for earlier in budgets):
            problems.append(Problem(where, f"budget '{entry.name}' is there twice"))
        try:
            budgets.append(_budget(entry, file.rules))
        except ValueError as error:
            problems.append(Problem(where, f"budget '{entry.name}': {error}"))
    if problems:
        raise ConfigError(problems)
    return budgets


def _budget(entry: BudgetEntry, rules: Rules) -> Budget:
    return parse_budget(
        **entry.model_dump(exclude={"about", "inconclusive"}),
        rule=Rule(entry.inconclusive or rules.inconclusive, rules.not_measured, rules.confidence),
    )
