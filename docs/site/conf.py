"""How Sphinx makes the site out of the pages in `docs/`; `make site` runs it, and takes every warning for an error."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent.parent
sys.path.insert(0, str(DOCS))

from llms import llms_text  # noqa: E402

project = "dbz"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["site"]
nitpicky = True

# Headings have the anchors that repository hosts give them, so that one link holds in both views.
myst_heading_anchors = 4

html_theme = "furo"
html_title = "dbz"
html_show_copyright = False
# Nothing of other hosts: the site works offline, and tells nobody who reads it.
html_theme_options = {"footer_icons": []}


def write_llms(app: Any, failure: Exception | None) -> None:
    """The site's own llms.txt, whose pages are the sources that the site has copied."""
    if failure is None:
        Path(app.outdir, "llms.txt").write_text(llms_text(lambda name: f"_sources/{name}.md.txt"))


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("build-finished", write_llms)
