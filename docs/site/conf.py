"""How Sphinx makes the site out of the pages in `docs/`; `make site` runs it, and takes every warning for an error."""

from __future__ import annotations

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
