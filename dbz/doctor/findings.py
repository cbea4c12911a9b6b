"""What was looked at, how it is, and how it is mended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from dbz.errors import DbzError, ExitCode


class Fitness(StrEnum):
    """How something is."""

    GOOD = "good"
    POOR = "poor"
    """It works, and figures or comfort suffer."""
    BAD = "bad"
    """It does not work, or nothing that is measured with it can be trusted."""
    ABSENT = "absent"
    """It is not there, and need not be."""


@dataclass(frozen=True)
class Diagnosis:
    """One thing that was looked at."""

    area: str
    """`machine`, `packages`, or what is reached: `target`, `redis`, `store`, `shards`, `aws`."""
    name: str
    health: Fitness
    text: str
    """What was seen, in one line."""
    cure: str = ""
    """What to do, unless all is well."""


REACHED = ("target", "redis", "store", "shards", "aws")
"""Areas outside this machine: what is bad there cannot be reached."""


def exit_code(findings: Iterable[Diagnosis]) -> ExitCode:
    """`UNREACHABLE` when something that is configured is, `INVALID` when this machine cannot measure, else `OK`."""
    areas = {finding.area for finding in findings if finding.health is Fitness.BAD}
    if areas.intersection(REACHED):
        return ExitCode.UNREACHABLE
    return ExitCode.INVALID if areas else ExitCode.OK


def refused(area: str, name: str, error: DbzError) -> Diagnosis:
    """An error of dbz as a finding."""
    return Diagnosis(area, name, Fitness.BAD, error.message.splitlines()[0], error.hint)


def as_document(findings: Iterable[Diagnosis]) -> dict[str, Any]:
    """All of them as JSON: schema `dbz.doctor/1`."""
    rows = list(findings)
    return {
        "schema": "dbz.doctor/1",
        "exit_code": int(exit_code(rows)),
        "findings": [asdict(finding) for finding in rows],
        "next_steps": [finding.cure for finding in rows if finding.cure and finding.health is not Fitness.ABSENT],
    }
