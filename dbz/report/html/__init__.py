"""Pages that people open: a run, a comparison, a capacity search. Each is one file and works offline."""
