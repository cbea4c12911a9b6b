"""The table of the pages that a browser opened."""

from __future__ import annotations

from rich.console import Console, Group
from rich.text import Text

from dbz.report.terminal.console import clean
from dbz.report.terminal.run.tables import NARROW, WIDE, cell, grid
from dbz.report.words.pages import PAGE_COLUMNS, is_bad, page_remarks, page_rows
from dbz.runs.schema import Run

_NARROW_COLUMNS = ("Page", "Visits", "Failed", "Load ms", "LCP")
_COLUMNS = (*_NARROW_COLUMNS, "INP", "CLS")
_WIDE_COLUMNS = (*_COLUMNS[:4], "TTFB", "FCP", *_COLUMNS[4:], "Bytes", "Script errors")


def pages_table(run: Run, console: Console) -> Group:
    """What pages were like, and what should be known of that; the fewer columns, the narrower the terminal."""
    shown = _WIDE_COLUMNS if console.width >= WIDE else _COLUMNS if console.width >= NARROW else _NARROW_COLUMNS
    places = [PAGE_COLUMNS.index(name) for name in shown[1:]]
    table = grid("<", *(name.lower() for name in shown[1:]))
    for page, cells in zip(run.pages, page_rows(run.pages), strict=True):
        style = "red" if is_bad(page) else ""
        table.add_row(cell(cells[0], style), *(cells[place] for place in places))
    return Group(table, *(Text(clean(text), "dim") for text in page_remarks(run.pages, run.browser)))
