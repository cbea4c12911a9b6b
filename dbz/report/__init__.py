"""What people see of a run, made from its record alone: terminal, HTML, JUnit, Markdown, CSV and what CI shows."""

from dbz.report.ci.github import tell_github
from dbz.report.documents import list_json, metrics_json
from dbz.report.files import summary_of, write_reports, write_verdicts, write_what_can_be
from dbz.report.opening import open_conclusion, open_run
from dbz.report.schemas import schema_text
from dbz.report.terminal.run.comparison import print_comparison, print_trend
from dbz.report.terminal.run.imported import print_imported, print_metrics
from dbz.report.terminal.run.live import open_metrics, open_otlp, open_view
from dbz.report.terminal.run.summary import print_conclusion, print_run, print_runs, print_verdict
from dbz.report.words.verdict import short_verdict

__all__ = [
    "list_json",
    "metrics_json",
    "open_conclusion",
    "open_metrics",
    "open_otlp",
    "open_run",
    "open_view",
    "print_comparison",
    "print_conclusion",
    "print_imported",
    "print_metrics",
    "print_run",
    "print_runs",
    "print_trend",
    "print_verdict",
    "schema_text",
    "short_verdict",
    "summary_of",
    "tell_github",
    "write_reports",
    "write_verdicts",
    "write_what_can_be",
]
