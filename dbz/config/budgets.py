"""The budgets file, schema `dbz.budgets/1`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dbz.config import bundled
from dbz.config.model import Strict, build
from dbz.config.source import Source, read_yaml
from dbz.errors import ConfigError, Problem
from dbz.measure.budgets import Budget, parse_budget

DEFAULT = "default"


class BudgetEntry(Strict):
    """One budget as it is written: texts that the budget grammar reads."""

    name: str = Field(min_length=1, max_length=80)
    of: str
    stat: str
    limit: str
    required: bool = False
    about: str = ""


class BudgetsFile(Strict):
    """All budgets of a file."""

    schema_: Literal["dbz.budgets/1"] = Field(alias="schema")
    budgets: list[BudgetEntry] = Field(min_length=1)


def load_budgets(name: str) -> list[Budget]:
    """The budgets of a bundled or a given YAML file; `ConfigError` names every problem in it."""
    path = bundled.resolve("budgets", name, "configs/budgets", ".yaml")
    return build_budgets(read_yaml(path))


def build_budgets(source: Source) -> list[Budget]:
    """The budgets of a source."""
    file = build(BudgetsFile, source)
    budgets: list[Budget] = []
    problems: list[Problem] = []
    for index, entry in enumerate(file.budgets):
        where = source.where(("budgets", index))
        if any(entry.name == earlier.name for earlier in budgets):
            problems.append(Problem(where, f"budget '{entry.name}' is there twice"))
        try:
            budgets.append(parse_budget(entry.name, entry.of, entry.stat, entry.limit, required=entry.required))
        except ValueError as error:
            problems.append(Problem(where, f"budget '{entry.name}': {error}"))
    if problems:
        raise ConfigError(problems)
    return budgets
