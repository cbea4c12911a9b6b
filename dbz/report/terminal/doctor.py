"""What `dbz doctor` found, for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from rich.console import Console
from rich.text import Text

from dbz.doctor.findings import Finding, Health
from dbz.report.terminal.console import clean, glyphs_for

_STYLES = {Health.GOOD: "green", Health.POOR: "yellow", Health.BAD: "bold red", Health.ABSENT: "dim"}


def print_findings(findings: Iterable[Finding], console: Console) -> list[Finding]:
    """Print each as it comes, below the name of its area; all of them are returned."""
    signs = glyphs_for(console)
    marks = {Health.GOOD: signs.good, Health.POOR: signs.unsure, Health.BAD: signs.bad, Health.ABSENT: signs.missing}
    printed = []
    for area, group in groupby(findings, key=lambda finding: finding.area):
        console.print(area, style="bold")
        for finding in group:
            mark = Text(f"  {marks[finding.health]} ", style=_STYLES[finding.health])
            console.print(mark + Text(f"{finding.name:<16} {clean(finding.text)}", style="default"))
            if finding.cure and finding.health is not Health.GOOD:
                console.print(Text(f"    {'':<16} {clean(finding.cure)}", style="dim"))
            printed.append(finding)
    return printed


def summary_text(findings: Iterable[Finding]) -> str:
    """How many of them ask for something, in one line."""
    healths = [finding.health for finding in findings]
    bad, poor = healths.count(Health.BAD), healths.count(Health.POOR)
    if not bad and not poor:
        return "Nothing to mend."
    parts = [f"{bad} must be mended" if bad else "", f"{poor} could be better" if poor else ""]
    return f"{' and '.join(part for part in parts if part)}; what is not installed need not be."
