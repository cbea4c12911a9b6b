"""What people see of a run, made from its record alone: terminal, HTML, JUnit, Markdown and CSV."""

from dbz.report.files import write_reports, write_verdicts
from dbz.report.listing import list_json, metrics_json
from dbz.report.opening import open_run
from dbz.report.terminal.comparison import print_comparison, print_trend
from dbz.report.terminal.imported import print_imported, print_metrics
from dbz.report.terminal.live import open_view
from dbz.report.terminal.summary import print_run, print_runs

__all__ = [
    "list_json",
    "metrics_json",
    "open_run",
    "open_view",
    "print_comparison",
    "print_imported",
    "print_metrics",
    "print_run",
    "print_runs",
    "print_trend",
    "write_reports",
    "write_verdicts",
]
