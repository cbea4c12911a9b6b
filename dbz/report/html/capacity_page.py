"""`capacity.html`: a capacity search as one file that works offline.

As in the page of a run nothing can be injected: texts are escaped, and a content security policy allows exactly our own
script and style by their hashes.
"""

from __future__ import annotations

import math
from datetime import datetime
from html import escape
from pathlib import Path
from string import Template

from dbz.errors import UsageError
from dbz.report.html.capacity_plot import limits_plot, throughput_plot
from dbz.report.html.page import asset, content_policy
from dbz.report.html.sections import Cell, Row, number_cell, section, table, text_cell
from dbz.report.words.capacity import (
    ANSWERS,
    BADGES,
    about_text,
    broken_texts,
    capacity_text,
    fit_text,
    headroom_text,
    interval_text,
    ratio_text,
    used_text,
)
from dbz.runs.capacity import Capacity, CapacityStep, Headroom, StepOutcome, load_capacity
from dbz.units import format_duration, format_rate

PAGE_FILE = "capacity.html"
_TONES = {StepOutcome.FOUND: "pass", StepOutcome.AT_LEAST: "pass", StepOutcome.NOTHING_HOLDS: "fail"}


def write_capacity_page(folder: Path) -> Path:
    """Make `capacity.html` from the `capacity.json` of a folder; its path. `UsageError` when either cannot be."""
    page = folder / PAGE_FILE
    text = render_capacity(load_capacity(folder))
    try:
        page.write_text(text, encoding="utf-8", errors="replace", newline="\n")
    except OSError as error:
        raise UsageError(f"cannot write {page}: {error.strerror}", code="E006") from error
    return page


def render_capacity(found: Capacity) -> str:
    """The text of the page."""
    style, script = asset("page.css") + asset("capacity.css"), asset("tables.js")
    return Template(asset("capacity.html")).substitute(
        policy=content_policy(style, script),
        title=escape(f"{BADGES[found.outcome]}: {capacity_text(found) or found.id}"),
        style=style,
        script=script,
        head=_head(found) + _figures(found),
        plots=throughput_plot(found) + limits_plot(found) if found.steps else "",
        law=_law(found),
        phases=_phases(found),
        broken=_broken(found) + _notes(found),
        steps=_steps(found),
        facts=_facts(found),
    )


def _head(found: Capacity) -> str:
    about = " ".join(filter(None, (interval_text(found), about_text(found))))
    return (
        f'<header class="verdict {_TONES.get(found.outcome, "")}"><p class="badge">{BADGES[found.outcome]}</p>'
        f"<h1>{escape(found.statement)}</h1><p>{escape(about)}</p></header>"
    )


def _figures(found: Capacity) -> str:
    figures = found.capacity
    if figures is None:
        return ""
    tiles = [("arrivals a second" if found.scaled == "rate" else "users", f"{figures.load:,}")]
    tiles.append(("attempts a second", format_rate(figures.attempts_per_s).removesuffix("/s")))
    if figures.requests_per_s:
        tiles.append(("HTTP requests a second", format_rate(figures.requests_per_s).removesuffix("/s")))
    if figures.connections:
        tiles.append(("connections", f"{figures.connections:,.0f}"))
    if found.api_servers:
        tiles.append(("server processes", f"{found.api_servers:,}"))
    rows = "".join(f"<div><dt>{escape(label)}</dt><dd>{escape(text)}</dd></div>" for label, text in tiles)
    return f'<dl class="figures">{rows}</dl>'


def _law(found: Capacity) -> str:
    if found.scalability is None:
        return ""
    highest = max(step.load for step in found.steps)
    return f"<p><small>Universal Scalability Law: {escape(fit_text(found.scalability, highest))}</small></p>"


def _phases(found: Capacity) -> str:
    head = ["Phase", "Verdict", "Users", "Connections", "Requests"]
    rows = [_phase_row(found, row) for row in found.phases]
    return (
        section("phases", "Headroom for the phases of the plan", table(head, rows, text_columns=(0, 1))) if rows else ""
    )


def _phase_row(found: Capacity, row: Headroom) -> Row:
    mark = f'<span class="mark">{escape(headroom_text(found, row))}</span>'
    ratios = [number_cell(ratio_text(ratio), ratio) for ratio in (row.users, row.connections, row.requests)]
    tone = "" if row.lowest is None else "pass" if row.lowest >= 1 else "short"
    return tone, [text_cell(row.phase), (mark, row.lowest or 0), *ratios]


def _broken(found: Capacity) -> str:
    items = "".join(f"<li>{escape(text)}</li>" for text in broken_texts(found))
    return section("broken", "First to break", f"<ul>{items}</ul>") if items else ""


def _notes(found: Capacity) -> str:
    items = "".join(f"<li>{escape(text)}</li>" for text in found.notes)
    return section("notes", "Notes", f"<ul>{items}</ul>") if items else ""


def _steps(found: Capacity) -> str:
    figures = ["Attempts /s", "HTTP /s", "Connections", "Nearest to its limit", "Used"]
    head = ["Load", "Answer", "Judged", *figures, "Run", "From second"]
    ordered = sorted(found.steps, key=lambda step: (step.load, step.repeated))
    rows = [(_row_class(step), _step_cells(step)) for step in ordered]
    return section("steps", "Steps", table(head, rows, text_columns=(1, 6, 8))) if rows else ""


def _row_class(step: CapacityStep) -> str:
    return {"holds": "pass", "breaks": "broken"}.get(step.answer, "short")


def _step_cells(step: CapacityStep) -> list[Cell]:
    report = f"runs/{step.run}/report.html"
    used = math.inf if step.used is None and step.tightest else step.used
    return [
        number_cell(f"{step.load:,}", step.load),
        (f'<span class="mark">{escape(ANSWERS[step.answer])}</span>', step.answer),
        number_cell(format_duration(step.judged_s), step.judged_s),
        number_cell(format_rate(step.attempts_per_s).removesuffix("/s"), step.attempts_per_s),
        number_cell(format_rate(step.requests_per_s).removesuffix("/s"), step.requests_per_s),
        number_cell("–" if step.connections is None else f"{step.connections:,.0f}", step.connections),
        text_cell(step.tightest or "–"),
        number_cell(used_text(step).removeprefix(step.tightest).strip() or "–", used),
        (f'<a href="{escape(report)}">{escape(step.run)}</a>', step.run),
        number_cell(f"{step.start_s:,.0f} s", step.start_s),
    ]


def _facts(found: Capacity) -> str:
    rows = [
        ("Target", found.target + (" (embedded stack)" if found.embedded else "")),
        ("Started", f"{datetime.fromisoformat(found.started):%Y-%m-%d %H:%M:%S} UTC"),
        ("Lasted", format_duration(found.duration_s)),
        ("Narrowed down to", f"{found.tolerance * 100:g} %"),
        *((f"Version of {name}", version) for name, version in found.versions.items()),
        *((name.replace("_", " ").capitalize(), str(value)) for name, value in found.environment.items()),
        ("Search", found.id),
    ]
    facts = "".join(f"<div><dt>{escape(label)}</dt><dd>{escape(text)}</dd></div>" for label, text in rows)
    return section("search", "The search", f'<dl class="facts">{facts}</dl>')
