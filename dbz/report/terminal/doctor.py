"""What `dbz doctor` found, for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from rich.console import Console
from rich.text import Text

from dbz.doctor.findings import Diagnosis, Fitness
from dbz.report.terminal.console import clean, glyphs_for

_STYLES = {Fitness.GOOD: "green", Fitness.POOR: "yellow", Fitness.BAD: "bold red", Fitness.ABSENT: "dim"}


def print_findings(findings: Iterable[Diagnosis], console: Console) -> list[Diagnosis]:
    """Print each as it comes, below the name of its area; all of them are returned."""
    signs = glyphs_for(console)
    marks = {
        Fitness.GOOD: signs.good,
        Fitness.POOR: signs.unsure,
        Fitness.BAD: signs.bad,
        Fitness.ABSENT: signs.missing,
    }
    printed = []
    for area, group in groupby(findings, key=lambda finding: finding.area):
        console.print(area, style="bold")
        for finding in group:
            mark = Text(f"  {marks[finding.health]} ", style=_STYLES[finding.health])
            console.print(mark + Text(f"{finding.name:<16} {clean(finding.text)}", style="default"))
            if finding.cure and finding.health is not Fitness.GOOD:
                console.print(Text(f"    {'':<16} {clean(finding.cure)}", style="dim"))
            printed.append(finding)
    return printed


def summary_text(findings: Iterable[Diagnosis]) -> str:
    """How many of them ask for something, in one line."""
    healths = [finding.health for finding in findings]
    bad, poor = healths.count(Fitness.BAD), healths.count(Fitness.POOR)
    if not bad and not poor:
        return "Nothing to mend."
    parts = [f"{bad} must be mended" if bad else "", f"{poor} could be better" if poor else ""]
    return f"{' and '.join(part for part in parts if part)}; what is not installed need not be."
