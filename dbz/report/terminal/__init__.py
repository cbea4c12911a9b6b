"""Reports on a terminal: the only place below `dbz.cli` that knows about colours, widths and cursors."""
