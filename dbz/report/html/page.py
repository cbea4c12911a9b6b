"""`report.html`: one file that works offline, with charts to explore.

Nothing in it can be injected: texts are escaped, the charts' data is JSON that cannot end its element, the script
writes text nodes only, and a content security policy allows exactly our own script and style by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from dbz.report.html import sections
from dbz.report.html.charts import Chart, chart_data
from dbz.report.html.comparison import comparison
from dbz.report.html.details import detail_data
from dbz.report.words.verdict import BADGES
from dbz.runs.schema import Run
from dbz.runs.storage.reading import Record
from dbz.runs.timeline import Timeline

_SCRIPTS = ("basics.js", "tables.js", "page.js", "details.js")
_JSON_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def render_html(run: Run, record: Record, finest: Timeline | None = None) -> str:
    """The text of the file; `finest` is the `timeline` of the record in its finest steps, where it is at hand."""
    data = {**chart_data(run, record, finest), "detail": detail_data(run, record)}
    style, script = asset("page.css"), "".join(map(asset, _SCRIPTS))
    return Template(asset("page.html")).substitute(
        policy=content_policy(style, script),
        title=escape(f"{BADGES[run.verdict]}: {run.title}"),
        style=style,
        script=script,
        data=embedded_json(data),
        head=sections.verdict(run) + sections.figures(run),
        budgets=sections.budgets(run) + comparison(run),
        operations=sections.operations(run)
        + sections.pages(run)
        + sections.services(run)
        + sections.networks(run)
        + sections.care(run)
        + sections.errors(run)
        + sections.answers(run),
        charts=sections.resolution(record.span_s)
        + "".join(sections.figure(Chart(**chart)) for chart in data["charts"]),
        tables=sections.answers(run) + sections.counters(run) + sections.deliveries(run) + sections.run_facts(run),
        run_id=escape(run.id),
    )


def embedded_json(data: Any) -> str:
    """JSON that may stand inside a script element."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False).translate(_JSON_ESCAPES)


def content_policy(style: str, script: str) -> str:
    """The content security policy that allows one style and one script, and nothing else."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def asset(name: str) -> str:
    """A file of the page folder."""
    return files("dbz.report.html").joinpath("assets", name).read_text(encoding="utf-8")
