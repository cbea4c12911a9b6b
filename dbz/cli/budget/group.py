"""`dbz budget`: judge results of other tools, and look up what budgets can be about."""

from __future__ import annotations

from dbz.cli.budget.check import check
from dbz.cli.budget.metrics import metrics
from dbz.cli.options import command_group

app = command_group(
    "Judge results of other tools by budgets, and look up what these can say.", check=check, metrics=metrics
)
