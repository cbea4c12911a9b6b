"""Which runs may be compared, what became of it, and how a figure went over many runs."""
