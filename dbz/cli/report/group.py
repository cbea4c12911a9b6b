"""`dbz report`: look at runs again, and make their reports again."""

from __future__ import annotations

from dbz.cli.options import command_group
from dbz.cli.report.compare import compare
from dbz.cli.report.html import html
from dbz.cli.report.list import list_
from dbz.cli.report.schema import schema
from dbz.cli.report.show import show
from dbz.cli.report.trend import trend

app = command_group(
    "Look at runs again, and make their reports again.",
    show=show, html=html, compare=compare, trend=trend, schema=schema, list=list_,
)  # fmt: skip
